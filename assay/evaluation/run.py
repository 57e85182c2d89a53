"""Evaluate a model folder on labelled documents of a snapshot, together with its baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from assay.evaluation.checks import require_metric, require_raters
from assay.evaluation.cuts import measure_cuts
from assay.evaluation.evaluate import evaluate, with_raters
from assay.evaluation.predict import predict
from assay.evaluation.record import Evaluation
from assay.metrics import read_ratings
from assay.model import REFIT, ModelInfo
from assay.rubric import Rubric
from assay.storage import Snapshot, digest_folder


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and the predictions behind it."""

    evaluation: Evaluation
    """Record of the evaluation."""
    predictions: pd.DataFrame
    """Predictions table, with `row` of the snapshot and the columns of the slices."""


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
    """Score the documents of `part` (labelled, with `cluster`) by one rubric of the model, and measure the predictions.

    `baselines`: BaselinePredictions of the same documents. `slice_by` and `rater_columns` (single ratings that the
    label was made of): columns of the snapshot. Raise InputError if the rubric's metric does not exist, the model was
    never calibrated or has no such rubric, `part` is empty, there is no such column, or a rating is outside the scale.
    """
    # Before the slow step, the scoring of the documents.
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
    refit = int(ModelInfo.read(model / REFIT).lineage["refit"]) if (model / REFIT).is_dir() else 0
    evaluation = replace(evaluation, refit=refit, cuts=measure_cuts(found.calibration, found.predictions, rubric))
    if rater_columns:
        require_raters(snapshot, rater_columns)
        ratings = read_ratings(snapshot, found.predictions["row"].tolist(), rater_columns, rubric)
        evaluation = with_raters(evaluation, found.predictions, ratings)
    return Evaluated(evaluation, found.predictions)
