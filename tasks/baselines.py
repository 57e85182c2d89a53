"""Baselines: models that the trained one has to beat, on the same split and calibrated on the same part."""

from pathlib import Path
from typing import NamedTuple

from flytekit import task

from assay.evaluation import evaluate_baselines
from assay.model import KeepTarget
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from assay.training import TrainConfig
from tasks.support.caching import by_content
from tasks.support.resources import encoder
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Assignment, BaselineTable, Documents
from tasks.support.types import SnapshotFolder


class Baselines(NamedTuple):
    predictions: BaselineTable
    stage: Stage


@task(cache=by_content(), **encoder())
def fit_baselines(
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    rubric: Rubric,
    config: TrainConfig,
    encoder_revision: str,
    keep: KeepTarget,
) -> Baselines:
    """Fit majority, length, TF-IDF + ridge, and frozen encoder + ridge. `encoder_revision` only keys the cache."""
    with recorded("Baselines") as stage:
        opened = Snapshot.open(Path(snapshot.download()))
        table = evaluate_baselines(opened, documents, assignment, rubric, config, keep=keep)
        stage.documents = len(documents)
        stage.remark = ", ".join(table["baseline"].unique())
        say(stage.remark)
    return Baselines(table, stage)
