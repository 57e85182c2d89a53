"""Train: torchrun under Flyte's Elastic. Each process runs the task's body; rank 0 writes the outputs."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.labels import StoredSet
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from assay.tracking import open_tracker
from assay.training import TrainConfig, checkpoint_path, forget_checkpoint, run_name, train_model
from tasks.support.caching import by_content
from tasks.support.checkpoints import restore_checkpoint, save_checkpoint
from tasks.support.processes import elastic
from tasks.support.resources import trainer
from tasks.support.settings import work_folder
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Assignment, CurveTable, Documents
from tasks.support.types import ModelFolder, SetFolder, SnapshotFolder, stored_folder


class Trained(NamedTuple):
    model: ModelFolder
    curve: CurveTable
    tracker_run: str
    stage: Stage


# The tracker records a training and does not change it.
@task(task_config=elastic(), cache=by_content("tracking"), **trainer())
def train(
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    rubric: Rubric,
    further: list[SetFolder],
    config: TrainConfig,
    encoder_revision: str,
    tracking: str,
) -> Trained:
    """Fit the classifier on the train part, and on the train parts of the sets by further rubrics.

    `encoder_revision` only keys the cache, if the encoder is a folder.
    """
    with (
        recorded("Train") as stage,
        open_tracker(tracking, run_name=f"train {rubric.name}", work=work_folder()) as tracker,
    ):
        opened = Snapshot.open(Path(snapshot.download()))
        checkpoints = work_folder() / "checkpoints"
        others = [StoredSet.read(Path(folder.download())).divided for folder in further]
        run = run_name(opened, assignment, rubric, config, others)
        restore_checkpoint(checkpoint_path(checkpoints, run))
        output = Path(current_context().working_directory) / "model"
        tracker.params({"training": asdict(config), "rubric": asdict(rubric)})
        curve = train_model(
            opened,
            documents,
            assignment,
            rubric,
            config,
            output=output,
            checkpoints=checkpoints,
            others=others,
            after_save=save_checkpoint,
            on_update=lambda record: tracker.metrics({f"train/{k}": v for k, v in record.items()}, int(record["step"])),
        )
        # Training ends with a barrier: no other process still needs the checkpoint.
        if os.environ.get("RANK", "0") == "0":
            forget_checkpoint(checkpoints, run)
        stage.documents = int((assignment["part"] == "train").sum())
        stage.remark = f"{len(curve)} updates, {curve['tokens'].sum() / curve['seconds'].sum():,.0f} tokens/s"
        say(f"{stage.documents:,} documents, {stage.remark}, loss {curve['loss'].tail(10).mean():.3f}")
    return Trained(stored_folder(output), curve, tracker.run_id, stage)
