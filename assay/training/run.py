"""One training run, from a labelled snapshot to a model folder. Every process of the run calls it."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from assay.errors import InputError
from assay.labels import PARTS, SplitSet, assign_folds, fitting_part, part_of, write_held_out, write_seen
from assay.model import REFIT, Aspect, Blend, ModelInfo, save_model
from assay.rubric import Rubric
from assay.storage import Snapshot, digest_folder, digest_json, staged_folder
from assay.training.checkpoint import Checkpoint
from assay.training.config import HYBRID_WORDS, IN_ONE_STEP, TrainConfig, refits
from assay.training.documents import training_documents
from assay.training.fitted import Record
from assay.training.learning import write_learning
from assay.training.stages import OF_A_PART, Given, fit_in_one_step, fit_networks


class Curve(pa.DataFrameModel):
    """One row an update of the weights. Updates of models that leave a fold out are first."""

    step: Series[int] = pa.Field(ge=0)
    epoch: Series[float] = pa.Field(gt=0)
    loss: Series[float] = pa.Field(ge=0, description="weighted mean loss of the documents")
    learning_rate: Series[float] = pa.Field(ge=0)
    gradient_norm: Series[float] = pa.Field(ge=0, description="before clipping")
    tokens: Series[float] = pa.Field(ge=0, description="tokens of the documents, over all processes")
    padding: Series[float] = pa.Field(ge=0, le=1, description="share of the computed tokens that was padding")
    seconds: Series[float] = pa.Field(ge=0)
    processor_seconds: Series[float] | None = pa.Field(
        ge=0, nullable=True, description="over all processes; missing in runs that an earlier release started"
    )
    joules: Series[float] | None = pa.Field(
        ge=0, nullable=True, description="energy of processors and GPUs; missing if a machine does not count it"
    )
    fold: Series[int] | None = pa.Field(
        ge=OF_A_PART,
        description="0: the model that is measured; from 1: a model that left this fold out, to score it for "
        "calibration; -1: the model that ships, fitted to all labels; -2: a model of the learning curve",
    )

    class Config:
        strict = True
        coerce = True


def run_name(
    snapshot: Snapshot, assignment: pd.DataFrame, rubric: Rubric, config: TrainConfig, others: Sequence[SplitSet] = ()
) -> str:
    """Return the digest of the data and settings of a training run, which names its checkpoint.

    `others`: sets by further rubrics. The threshold is part of it where the training depends on it: with the loss
    `binary`, and with folds, which are balanced by it. An encoder that is a folder counts by its content.
    """
    further = [{"rubric": asdict(each.rubric), **_learned(each.snapshot, each.assignment)} for each in others]
    sets = [assignment, *(each.assignment for each in others)]
    whole = refits(config, _labels(sets))
    content: dict[str, object] = {**_learned(snapshot, assignment), "config": asdict(config)}
    if further:
        content["others"] = further
    if config.loss == "binary" or config.folds:
        content["threshold"] = rubric.threshold
    if config.learning_curve:  # its models score the test parts
        content["tested"] = [sorted(each.loc[each["part"] == "test", "id"]) for each in sets]
    if config.folds:  # the calibration part is learned from, too; near-duplicates stay in one fold
        parts = assignment[assignment["part"].isin(["train", "calibration"])].sort_values("id")
        content["folded"] = parts[["id", "part", "cluster"]].astype(str).to_numpy().tolist()
    if whole:
        content["refit"] = [sorted(each.loc[each["part"].isin(PARTS), "id"]) for each in sets]
    if Path(config.encoder).is_dir():
        content["encoder"] = digest_folder(Path(config.encoder))
    return digest_json(content)


def _labels(assignments: Sequence[pd.DataFrame]) -> int:
    """Return the labels in the parts of several sets."""
    return sum(int(each["part"].isin(PARTS).sum()) for each in assignments)


def _learned(snapshot: Snapshot, assignment: pd.DataFrame) -> dict[str, object]:
    """Return what identifies the documents of the train part."""
    train = assignment.loc[assignment["part"] == "train", "id"].sort_values().tolist()
    return {"snapshot": snapshot.manifest.version, "train": train}


def checkpoint_path(checkpoints: Path, run: str) -> Path:
    """Return the file with the state of a run, in the folder of all runs."""
    return checkpoints / f"{run[:16]}.pt"


def forget_checkpoint(checkpoints: Path, run: str) -> None:
    """Remove the state of a run once its model is safe, and the folder if it is empty then."""
    checkpoint_path(checkpoints, run).unlink(missing_ok=True)
    with suppress(OSError):  # the folder holds states of other runs
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
    others: Sequence[SplitSet] = (),
    after_save: Callable[[Path], None] | None = None,
    on_update: Callable[[Record], None] | None = None,
) -> pd.DataFrame:
    """Fit a model on the train part, write it without calibration to the new folder `output`, and return its Curve.

    With `config.folds`, first fit one model for each fold, on the other folds of the train and calibration parts; their
    scores of the left-out documents are written to the model folder, for calibration. Then fit the model on both parts.
    If the settings say so (`refits`), at last fit a model to all labels; it is written to the folder `refit` inside.

    `documents`: a table LabelledDocument; `assignment`: its SplitAssignment; `others`: sets by further rubrics, on
    which the same network is trained. The checkpoint is in the folder `checkpoints` under the name of the run, so that
    the same command resumes a killed run. It stays until `forget_checkpoint`, when the results are safe. `after_save`
    and `on_update` are called on rank 0. Raise InputError for unusable labels or settings, and for folds with several
    rubrics.
    """
    started = time.monotonic()
    sets = [SplitSet(rubric, snapshot, documents, assignment), *others]
    if config.folds and others:
        raise InputError("cross-fitting supports one rubric only", where="training settings", fix="Leave folds out")
    run = run_name(snapshot, assignment, rubric, config, others)
    refitted = refits(config, _labels([each.assignment for each in sets]))
    info = ModelInfo(
        encoder="" if config.kind == "lexical" else config.encoder,
        rubric=rubric,
        windows=config.windows,
        **_parts(config, 1 + len(others)),
        precision=config.scoring_precision,
        lineage={
            **_source(snapshot),
            "run": run,
            "training": asdict(config),
            **_counts(assignment),
            **({"others": {each.rubric.name: _lineage(each) for each in others}} if others else {}),
        },
        others=tuple(Aspect(each.rubric) for each in others),
    )
    part = fitting_part(documents, assignment, cross_fitted=config.folds > 0)
    fold = None
    if config.folds:
        known = part["label"].to_numpy()
        fold = assign_folds(known, part["cluster"].to_numpy(), rubric.threshold, config.folds, config.seed)
    learned = training_documents(sets, cross_fitted=config.folds > 0)
    whole = training_documents(sets, refitted=True) if refitted else None
    tested = []
    if config.learning_curve:
        tested = [each.snapshot.take(part_of(each.documents, each.assignment, "test")["row"]) for each in sets]
    given = Given(info, config, learned, fold, whole, tested)
    if config.kind in IN_ONE_STEP:
        fits = fit_in_one_step(given)
    else:
        fits = fit_networks(given, Checkpoint(checkpoint_path(checkpoints, run), run, after_save), on_update)
    curve = Curve.validate(pd.DataFrame(fits.records()))
    if os.environ.get("RANK", "0") == "0":
        with staged_folder(output) as folder:  # by rank 0 alone: all processes have the same model
            save_model(fits.measured.model, folder)
            write_seen(folder, *sets, encoder=config.encoder)
            if config.folds:
                write_held_out(folder, part["id"], fits.held_out)
            if fits.points:
                sizes, scores = [point.documents for point in fits.points], [point.scores for point in fits.points]
                write_learning(folder, sets, sizes, scores, len(learned.texts))
            if fits.shipped:
                (folder / REFIT).mkdir()
                # Read by the card: the figures beside it are those of another model.
                known = replace(info, lineage={**info.lineage, "refit": len(whole.texts) if whole else 0})
                save_model(replace(fits.shipped.model, info=known), folder / REFIT)
                write_seen(folder / REFIT, *sets, encoder=config.encoder, refitted=True)
    curve.attrs["seconds"] = time.monotonic() - started
    return curve


def _parts(config: TrainConfig, rubrics: int) -> dict[str, Any]:
    """Return what the metadata say of the parts of a model."""
    if config.kind == "hybrid":
        return {"kind": "hybrid", "words": HYBRID_WORDS, "blend": (Blend(0.5, 0.5),) * rubrics}
    return {"kind": "lexical" if config.kind == "lexical" else "encoder"}


def _lineage(of: SplitSet) -> dict[str, object]:
    """Return the lineage of a set by a further rubric."""
    return {**_source(of.snapshot), **_counts(of.assignment)}


def _source(snapshot: Snapshot) -> dict[str, object]:
    return {"snapshot": snapshot.manifest.version, "sources": snapshot.manifest.provenance.get("sources", [])}


def _counts(assignment: pd.DataFrame) -> dict[str, object]:
    return {"documents": {str(part): int(count) for part, count in assignment["part"].value_counts().items()}}
