"""One training run, from a labelled snapshot to a model folder. Every process of the run calls it."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from assay.dedup import text_digest
from assay.errors import InputError
from assay.inference import Scorer
from assay.labels import SplitSet, assign_folds, fitting_part, write_held_out, write_seen
from assay.model import Aspect, Blend, ModelInfo, QualityModel, save_model
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot, digest_folder, digest_json, staged_folder
from assay.training.checkpoint import Checkpoint
from assay.training.config import HYBRID_WORDS, IN_ONE_STEP, TrainConfig
from assay.training.fitted import Fitted, Record


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
        ge=0, description="0: the model itself; from 1: a model that left this fold out, to score it for calibration"
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
    content: dict[str, object] = {**_learned(snapshot, assignment), "config": asdict(config)}
    if further:
        content["others"] = further
    if config.loss == "binary" or config.folds:
        content["threshold"] = rubric.threshold
    if config.folds:  # the calibration part is learned from, too; near-duplicates stay in one fold
        parts = assignment[assignment["part"].isin(["train", "calibration"])].sort_values("id")
        content["folded"] = parts[["id", "part", "cluster"]].astype(str).to_numpy().tolist()
    if Path(config.encoder).is_dir():
        content["encoder"] = digest_folder(Path(config.encoder))
    return digest_json(content)


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
    texts, labels, weights = training_documents(sets, cross_fitted=config.folds > 0)
    part = fitting_part(documents, assignment, cross_fitted=config.folds > 0)
    fold = None
    if config.folds:
        known = part["label"].to_numpy()
        fold = assign_folds(known, part["cluster"].to_numpy(), rubric.threshold, config.folds, config.seed)
    fitted: Fitted[Any]
    if config.kind in IN_ONE_STEP:
        fitted, earlier, held_out = _fit_in_one_step(texts, labels, weights, info, config, fold)
    else:
        checkpoint = Checkpoint(checkpoint_path(checkpoints, run), run, after_save)
        fitted, earlier, held_out = _fit_network(texts, labels, weights, info, config, fold, checkpoint, on_update)
    own = [{**record, "fold": 0} for record in fitted.history] if earlier else fitted.history
    curve = Curve.validate(pd.DataFrame([*earlier, *own]))
    if os.environ.get("RANK", "0") == "0":
        with staged_folder(output) as folder:  # by rank 0 alone: all processes have the same model
            save_model(fitted.model, folder)
            write_seen(folder, *sets, encoder=config.encoder)
            if config.folds:
                write_held_out(folder, part["id"], held_out)
    curve.attrs["seconds"] = time.monotonic() - started
    return curve


def _parts(config: TrainConfig, rubrics: int) -> dict[str, Any]:
    """Return what the metadata say of the parts of a model."""
    if config.kind == "hybrid":
        return {"kind": "hybrid", "words": HYBRID_WORDS, "blend": (Blend(0.5, 0.5),) * rubrics}
    return {"kind": "lexical" if config.kind == "lexical" else "encoder"}


def _fit_in_one_step(
    texts: list[str],
    labels: np.ndarray,
    weights: np.ndarray,
    info: ModelInfo,
    config: TrainConfig,
    fold: np.ndarray | None,
) -> tuple[Fitted[Any], list[Record], np.ndarray]:
    """Fit a lexical model or a head, and return what `_fit_network` does. Nothing is kept of a run that is killed."""
    # Imported here, as torch below: the names and the curve of a run need no scikit-learn.
    from assay.training.head import fit_head
    from assay.training.lexical import fit_lexical

    fit: Callable[..., Fitted[Any]] = fit_lexical if config.kind == "lexical" else fit_head

    def fit_rows(rows: np.ndarray) -> Fitted[Any]:
        return fit([texts[row] for row in rows], labels[rows], info, weights=weights[rows], seed=config.seed)

    earlier: list[Record] = []
    held_out = np.full(len(texts), np.nan)
    for number in range(config.folds if fold is not None else 0):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        fitted = fit_rows(outside)
        held_out[inside] = Scorer(fitted.model).read([texts[row] for row in inside]).score
        earlier += [{**record, "fold": number + 1} for record in fitted.history]
    return fit_rows(np.arange(len(texts))), earlier, held_out


def _fit_network(
    texts: list[str],
    labels: np.ndarray,
    weights: np.ndarray,
    info: ModelInfo,
    config: TrainConfig,
    fold: np.ndarray | None,
    checkpoint: Checkpoint,
    on_update: Callable[[Record], None] | None,
) -> tuple[Fitted[QualityModel], list[Record], np.ndarray]:
    """Fit the models of the folds, if there are any, and then the model itself; resume a killed run.

    `fold`: fold of each text, shape (n,). Return the model, the records of the fold models, and the scores of each text
    by the model that left its fold out, shape (n,).
    """
    # Imported here: the names and the curve of a run need no torch, which takes two seconds.
    import torch

    from assay.training.hybrid import add_words
    from assay.training.loop import fit

    def fit_rows(
        rows: np.ndarray, checkpoint: Checkpoint, on_update: Callable[[Record], None] | None
    ) -> Fitted[QualityModel]:
        chosen = [texts[row] for row in rows]
        fitted = fit(
            chosen, labels[rows], info, config, weights=weights[rows], checkpoint=checkpoint, on_update=on_update
        )
        return fitted if info.kind == "encoder" else add_words(fitted, chosen, labels[rows], weights[rows], config.seed)

    earlier: list[Record] = []
    held_out = np.full(len(texts), np.nan)
    if fold is not None:
        if carried := checkpoint.load_carried():
            held_out, earlier = carried["held_out"].numpy(), carried["records"]
        for number in range(config.folds):
            inside = np.flatnonzero(fold == number)
            if np.isfinite(held_out[inside]).all():
                continue  # an earlier attempt has finished this fold
            say(f"fold {number + 1} of {config.folds}")
            carried = {"held_out": torch.tensor(held_out), "records": earlier}
            checkpoint = replace(checkpoint, stage=f"fold {number}", carried=carried)
            fitted = fit_rows(np.flatnonzero(fold != number), checkpoint, None)
            held_out[inside] = Scorer(fitted.model).read([texts[row] for row in inside]).score
            earlier = [*earlier, *({**record, "fold": number + 1} for record in fitted.history)]
        carried = {"held_out": torch.tensor(held_out), "records": earlier}
        checkpoint = replace(checkpoint, stage="all", carried=carried)
    return fit_rows(np.arange(len(texts)), checkpoint, on_update), earlier, held_out


def training_documents(
    sets: Sequence[SplitSet], *, cross_fitted: bool = False
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the texts to train on, their labels and their weights, both of shape (texts, sets).

    A set without the text has label NaN and weight 1. Texts are in the order of the sets and, within a set, of its
    source. Texts that are equal after normalisation are one document.
    """
    texts: dict[str, str] = {}
    columns: list[dict[str, tuple[float, float]]] = []
    for each in sets:
        part = fitting_part(each.documents, each.assignment, cross_fitted=cross_fitted)
        found = each.snapshot.take(part["row"])
        digests = [text_digest(text) for text in found]
        columns.append(dict(zip(digests, zip(part["label"], part["weight"], strict=True), strict=True)))
        for digest, text in zip(digests, found, strict=True):
            texts.setdefault(digest, text)
    cells = [[column.get(digest, (np.nan, 1.0)) for column in columns] for digest in texts]
    both = np.array(cells, dtype=float).reshape(-1, len(sets), 2)
    return list(texts.values()), both[:, :, 0], both[:, :, 1]


def _lineage(of: SplitSet) -> dict[str, object]:
    """Return the lineage of a set by a further rubric."""
    return {**_source(of.snapshot), **_counts(of.assignment)}


def _source(snapshot: Snapshot) -> dict[str, object]:
    return {"snapshot": snapshot.manifest.version, "sources": snapshot.manifest.provenance.get("sources", [])}


def _counts(assignment: pd.DataFrame) -> dict[str, object]:
    return {"documents": {str(part): int(count) for part, count in assignment["part"].value_counts().items()}}
