"""Train: torchrun under Flyte's Elastic; each process runs this body, rank 0 writes."""

from pathlib import Path
from typing import Annotated, NamedTuple

from flytekit import HashMethod, current_context, task
from flytekit.types.directory import FlyteDirectory
from pandera.typing import DataFrame

from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from assay.tracking import open_tracker
from assay.training import Curve, recipe, run_name, train_model
from tasks.caching import by_content
from tasks.checkpoints import restore_checkpoint, save_checkpoint
from tasks.resources import elastic, trainer
from tasks.settings import work_folder
from tasks.types import Assignment, Documents, ModelFolder, SnapshotFolder, Stage, recorded, table_digest


class Trained(NamedTuple):
    model: ModelFolder
    curve: Annotated[DataFrame[Curve], HashMethod(table_digest)]
    tracker_run: str
    stage: Stage


@task(task_config=elastic(), cache=by_content("tracking"), **trainer())
def train(
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    rubric: Rubric,
    recipe_name: str,
    encoder: str,
    encoder_revision: str,
    seed: int,
    tracking: str,
) -> Trained:
    """Fit the classifier on the train part. `encoder_revision` only keys the cache, where `encoder` is a folder."""
    config = recipe(recipe_name, encoder=encoder, seed=seed)
    with (
        recorded("Train") as stage,
        open_tracker(tracking, run_name=f"train-{recipe_name}", work=work_folder()) as tracker,
    ):
        opened = Snapshot.open(Path(snapshot.download()))
        checkpoints = work_folder() / "checkpoints"
        restore_checkpoint(checkpoints / f"{run_name(opened, assignment, config)[:16]}.pt")
        output = Path(current_context().working_directory) / "model"
        tracker.params({"recipe": recipe_name, "training": config, "rubric": rubric})
        curve = train_model(
            opened,
            documents,
            assignment,
            rubric,
            config,
            output=output,
            checkpoints=checkpoints,
            after_save=save_checkpoint,
            on_update=lambda record: tracker.metrics(
                {f"train/{k}": v for k, v in record.items()}, int(record["step"])
            ),
        )
        stage.documents = int((assignment["part"] == "train").sum())
        stage.remark = f"{len(curve)} updates, {curve['tokens'].sum() / curve['seconds'].sum():,.0f} tokens/s"
        say(f"{stage.documents:,} documents, {stage.remark}, loss {curve['loss'].tail(10).mean():.3f}")
    return Trained(FlyteDirectory(str(output)), curve, tracker.run_id, stage)
