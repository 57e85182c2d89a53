"""Calibrate: fit the meaning of scores on a part of the labels that training never saw."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.labels import SplitSet, StoredSet
from assay.model import KeepTarget, ModelInfo
from assay.progress import say
from assay.storage import Snapshot
from assay.training import calibrate
from tasks.support.caching import by_content
from tasks.support.resources import encoder
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Assignment, Documents
from tasks.support.types import ModelFolder, SetFolder, SnapshotFolder, stored_folder


class Calibrated(NamedTuple):
    model: ModelFolder
    stage: Stage


@task(cache=by_content(), **encoder())
def calibrate_model(
    model: ModelFolder,
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    further: list[SetFolder],
    keep: KeepTarget,
) -> Calibrated:
    """Fit the functions from a score to the expected label, `p_keep` and grade, and record golden documents."""
    with recorded("Calibrate") as stage:
        opened = Snapshot.open(Path(snapshot.download()))
        folder = Path(model.download())
        output = Path(current_context().working_directory) / "calibrated"
        main = SplitSet(ModelInfo.read(folder).rubric, opened, documents, assignment)
        others = [StoredSet.read(Path(other.download())).divided for other in further]
        info = calibrate(folder, main, output, others=others, keep=keep)
        stage.documents = info.calibration.documents if info.calibration else 0
        stage.remark = f"held out from training; target of the cut: {keep}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Calibrated(stored_folder(output), stage)
