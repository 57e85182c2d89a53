"""Evaluation of a model folder and of the baselines, from the snapshot that holds the texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from assay.errors import InputError
from assay.evaluation.cuts import measure_cuts
from assay.evaluation.evaluate import Evaluation, evaluate, with_raters
from assay.inference import Scorer
from assay.language import CERTAIN, identify_language
from assay.metrics import METRICS, Predictions, read_ratings
from assay.model import Calibration
from assay.rubric import Rubric
from assay.storage import Snapshot, digest_folder


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and the predictions behind it."""

    evaluation: Evaluation
    predictions: pd.DataFrame
    """Predictions, with `row` of the snapshot and the columns of the slices."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of documents."""

    predictions: pd.DataFrame
    """Predictions, with `row` of the snapshot and the columns of the slices."""
    slice_columns: dict[str, str]
    """Column of the table that makes slices -> its name for people."""
    read: float
    """Share of the documents' tokens that the model read."""
    calibration: Calibration
    """What the predictions were made by."""


def predict(
    model: Path, snapshot: Snapshot, part: pd.DataFrame, *, rubric: str = "", slice_by: Sequence[str] = ()
) -> Predicted:
    """Score the documents of `part` (labelled, with `cluster`) by one rubric of the model, or its main one.

    `slice_by`: columns of the snapshot. Raises InputError where the model was never calibrated or has no such rubric,
    no document is left, or there is no such column.
    """
    if part.empty:
        raise InputError(
            "no document to evaluate on", where=snapshot.sources, fix="Give labelled documents it has not seen"
        )
    require_slices(snapshot, slice_by)
    scorer = Scorer.load(model, rubric=rubric)
    if scorer.model.info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    texts = snapshot.take(part["row"])
    scored = scorer.score(texts, progress="scoring the test part")
    table = pd.concat([part[["id", "row", "cluster", "label"]].reset_index(drop=True), scored], axis=1)
    table["length"] = _length_thirds(texts)
    table["language"] = [_language(text) for text in texts]
    columns = {"length": "length", "language": "language"}
    for place, name in enumerate(slice_by):
        table[f"slice_{place}"] = snapshot.take(part["row"], name)
        columns[f"slice_{place}"] = name
    read = float((scored["tokens"] * scored["read"]).sum() / max(scored["tokens"].sum(), 1))
    return Predicted(Predictions.validate(table), columns, read, scorer.model.info.calibration)


def evaluate_model(
    model: Path,
    snapshot: Snapshot,
    part: pd.DataFrame,
    baselines: pd.DataFrame | None,
    rubric: Rubric,
    *,
    slice_by: Sequence[str] = (),
    rater_columns: Sequence[str] = (),
) -> Evaluated:
    """Score the documents of `part` (labelled, with `cluster`) by one rubric of the model, and measure.

    `baselines`: BaselinePredictions of the same documents. `slice_by` and `rater_columns` (single ratings that the
    label was made of): columns of the snapshot. Raises InputError where the model was never calibrated or has no such
    rubric, no document is left, there is no such column, or a rating lies outside the scale.
    """
    require_metric(rubric)
    found = predict(model, snapshot, part, rubric=rubric.name, slice_by=slice_by)
    others = {} if baselines is None else dict(tuple(baselines.groupby("baseline", sort=False)))
    evaluation = evaluate(
        found.predictions,
        rubric,
        baselines=others,
        slice_columns=found.slice_columns,
        read=found.read,
        lineage={"model": digest_folder(model), "snapshot": snapshot.manifest.version},
    )
    evaluation = replace(evaluation, cuts=measure_cuts(found.calibration, found.predictions, rubric))
    if rater_columns:
        require_raters(snapshot, rater_columns)
        ratings = read_ratings(snapshot, found.predictions["row"].tolist(), rater_columns, rubric)
        evaluation = with_raters(evaluation, found.predictions, ratings)
    return Evaluated(evaluation, found.predictions)


def require_metric(rubric: Rubric) -> None:
    """Raises InputError where models cannot be compared by the metric that a rubric names."""
    if rubric.primary_metric not in METRICS:
        raise InputError(
            f"no metric {rubric.primary_metric!r}",
            where=f"rubric {rubric.name}, primary_metric",
            fix=f"Name one of: {', '.join(METRICS)}",
        )


def require_slices(snapshot: Snapshot, slice_by: Sequence[str]) -> None:
    """Raises InputError where a column is named to slice by, and the snapshot has none of this name."""
    for column in slice_by:
        if column not in snapshot.manifest.schema:
            names = ", ".join(snapshot.manifest.schema)
            raise InputError(f"no column {column!r} to slice by", where=snapshot.sources, fix=f"Name one of: {names}")


def require_raters(snapshot: Snapshot, columns: Sequence[str]) -> None:
    """Raises InputError where the columns of raters are fewer than two, or the snapshot has none of a name."""
    if len(set(columns)) == 1:
        raise InputError("one rater cannot agree", where=columns[0], fix="Name two columns of ratings or more")
    for column in columns:
        if column not in snapshot.manifest.schema:
            names = ", ".join(snapshot.manifest.schema)
            raise InputError(f"no column {column!r} of a rater", where=snapshot.sources, fix=f"Name one of: {names}")


def _language(text: str) -> str:
    found = identify_language(text)
    return found.code if found.probability >= CERTAIN else "not certain"


def _length_thirds(texts: list[str]) -> pd.Series:
    lengths = pd.Series([len(text) for text in texts])
    low, high = lengths.quantile([1 / 3, 2 / 3])
    names = [f"up to {low:,.0f} characters", f"to {high:,.0f} characters", "longer"]
    return pd.Series(pd.Categorical.from_codes((lengths > low).astype(int) + (lengths > high), names)).astype(str)
