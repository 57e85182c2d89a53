"""One training run from a labelled snapshot to a model folder; called by every process of the run."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from assay.labels import part_of, write_seen
from assay.model import ModelInfo, save_model
from assay.rubric import Rubric
from assay.storage import Snapshot, digest_json, staged_folder
from assay.training.checkpoint import Checkpoint
from assay.training.config import TrainConfig
from assay.training.loop import Record, fit


class Curve(pa.DataFrameModel):
    """One row an update of the weights."""

    step: Series[int] = pa.Field(ge=0)
    epoch: Series[float] = pa.Field(gt=0)
    loss: Series[float] = pa.Field(ge=0, description="weighted mean of the documents' losses")
    learning_rate: Series[float] = pa.Field(ge=0)
    gradient_norm: Series[float] = pa.Field(ge=0, description="before clipping")
    tokens: Series[float] = pa.Field(ge=0, description="learned from, over all processes")
    padding: Series[float] = pa.Field(ge=0, le=1, description="share of the computed tokens that was padding")
    seconds: Series[float] = pa.Field(ge=0)
    processor_seconds: Series[float] | None = pa.Field(
        ge=0, nullable=True, description="over all processes; missing in what an earlier release began"
    )

    class Config:
        strict = True
        coerce = True


def run_name(snapshot: Snapshot, assignment: pd.DataFrame, config: TrainConfig) -> str:
    """Digest of all that a training run depends on; the name of its checkpoint."""
    train = assignment.loc[assignment["part"] == "train", "id"].sort_values().tolist()
    return digest_json({"snapshot": snapshot.manifest.version, "train": train, "config": asdict(config)})


def checkpoint_path(checkpoints: Path, run: str) -> Path:
    """Where a run keeps its state, in the folder of all runs."""
    return checkpoints / f"{run[:16]}.pt"


def forget_checkpoint(checkpoints: Path, run: str) -> None:
    """Remove a run's state once its model is safe, and the folder where that was the last."""
    checkpoint_path(checkpoints, run).unlink(missing_ok=True)
    with suppress(OSError):
        checkpoints.rmdir()


def train_model(
    snapshot: Snapshot,
    documents: pd.DataFrame,
    assignment: pd.DataFrame,
    rubric: Rubric,
    config: TrainConfig,
    *,
    output: Path,
    checkpoints: Path,
    after_save: Callable[[Path], None] | None = None,
    on_update: Callable[[Record], None] | None = None,
) -> pd.DataFrame:
    """Fit a model on the train part and write it, not yet calibrated, to the new folder `output`; returns its Curve.

    `documents` is a LabelledDocument table, `assignment` its SplitAssignment. The checkpoint lies in the folder
    `checkpoints` under the name of the run, so that the same command goes on where it was killed; it stays until
    `forget_checkpoint`, when what was made of the model is safe. `after_save` and `on_update` are called on rank 0.
    Raises InputError for what cannot be trained.
    """
    started = time.monotonic()
    part = part_of(documents, assignment, "train")
    run = run_name(snapshot, assignment, config)
    checkpoint = Checkpoint(checkpoint_path(checkpoints, run), run, after_save)
    info = ModelInfo(
        encoder=config.encoder,
        rubric=rubric,
        windows=config.windows,
        precision=config.scoring_precision,
        lineage={
            "snapshot": snapshot.manifest.version,
            "sources": snapshot.manifest.provenance.get("sources", []),
            "run": run,
            "training": asdict(config),
            "documents": {str(part): int(count) for part, count in assignment["part"].value_counts().items()},
        },
    )
    texts = snapshot.take(part["row"])
    fitted = fit(texts, part["label"].to_numpy(), info, config, checkpoint=checkpoint, on_update=on_update)
    curve = Curve.validate(pd.DataFrame(fitted.history))
    if os.environ.get("RANK", "0") == "0":
        with staged_folder(output) as folder:
            save_model(fitted.model, folder)
            write_seen(folder, snapshot, documents, assignment)
    curve.attrs["seconds"] = time.monotonic() - started
    return curve
