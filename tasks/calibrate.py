"""Calibrate: scores get their meaning from a part that training never saw."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.evaluation import calibrate
from assay.labels import part_of
from assay.progress import say
from assay.storage import Snapshot
from tasks.caching import by_content
from tasks.resources import encoder
from tasks.types import Assignment, Documents, ModelFolder, SnapshotFolder, Stage, recorded, stored_folder


class Calibrated(NamedTuple):
    model: ModelFolder
    stage: Stage


@task(cache=by_content(), **encoder())
def calibrate_model(
    model: ModelFolder, snapshot: SnapshotFolder, documents: Documents, assignment: Assignment
) -> Calibrated:
    """Fit score -> expected label, probability and grades, and record golden documents."""
    with recorded("Calibrate") as stage:
        part = part_of(documents, assignment, "calibration")
        texts = Snapshot.open(Path(snapshot.download())).take(part["row"])
        output = Path(current_context().working_directory) / "calibrated"
        calibrate(Path(model.download()), part["id"].tolist(), texts, part["label"].to_numpy(), output)
        stage.documents = len(part)
        stage.remark = "held out from training"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Calibrated(stored_folder(output), stage)
