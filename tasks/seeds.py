"""Seeds: train a model that differs from the main one in its seed alone, to measure how much the seed matters."""

from dataclasses import replace
from pathlib import Path

from flytekit import current_context, task

from assay.evaluation import measure_seed
from assay.labels import SplitSet, StoredSet
from assay.model import KeepTarget
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from assay.training import TrainConfig
from tasks.support.caching import by_content
from tasks.support.resources import solo_trainer
from tasks.support.settings import work_folder
from tasks.support.stages import recorded
from tasks.support.tables import Assignment, Documents
from tasks.support.types import SetFolder, SnapshotFolder


@task(cache=by_content(), **solo_trainer())
def try_seed(
    seed: int,
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    rubric: Rubric,
    further: list[SetFolder],
    config: TrainConfig,
    encoder_revision: str,
    keep: KeepTarget,
) -> dict[str, float]:
    """Train, calibrate and measure in one process. `encoder_revision` only keys the cache."""
    with recorded(f"Seed {seed}"):
        main = SplitSet(rubric, Snapshot.open(Path(snapshot.download())), documents, assignment)
        figures = measure_seed(
            main,
            replace(config, seed=seed),
            work=Path(current_context().working_directory) / "seed",
            checkpoints=work_folder() / "checkpoints",
            others=[StoredSet.read(Path(folder.download())).divided for folder in further],
            keep=keep,
        )
        say(f"{rubric.primary_metric} {figures[rubric.primary_metric]:.3f}")
    return {name: value for name, value in figures.items() if value == value}  # JSON has no nan
