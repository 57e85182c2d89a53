"""Measure a Predictions table, and add what else is known: cost of training, raters, gates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from assay.errors import InputError
from assay.evaluation.cautions import cautions
from assay.evaluation.record import Errors, Evaluation
from assay.gates import Verdict, refusals
from assay.metrics import (
    INCLUSION,
    Curves,
    Outcomes,
    Probabilities,
    Resampled,
    correct,
    measure_raters,
    pair_accuracy,
    slices,
)
from assay.rubric import Rubric
from assay.training import OF_A_PART, SHIPPED


def evaluate(
    predictions: pd.DataFrame,
    rubric: Rubric,
    *,
    baselines: Mapping[str, pd.DataFrame] | None = None,
    slice_columns: Mapping[str, str] | None = None,
    read: float = 1.0,
    lineage: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure a Predictions table.

    `baselines`: name -> Predictions of a baseline on the same documents. `slice_columns`: column of the table -> its
    name for people; missing values belong to no slice. `read`: share of the tokens that the model read. Raise
    InputError if a baseline has other documents.
    """
    # One seed for all: the model and its baselines get the same resamples, which makes the gains paired.
    mine = Resampled.of(predictions, rubric, seed=seed)
    others = {
        name: Resampled.of(_weighted_as(predictions, table), rubric, seed=seed)
        for name, table in (baselines or {}).items()
    }
    positive = int((predictions["label"] >= rubric.threshold).sum())
    evaluation = Evaluation(
        rubric=rubric,
        documents=len(predictions),
        clusters=int(predictions["cluster"].nunique()),
        positive=positive,
        metrics=mine.intervals(),
        baselines={name: other.intervals() for name, other in others.items()},
        gains={name: correct(mine.minus(other), rubric.primary_metric) for name, other in others.items()},
        pairs=pair_accuracy(predictions, rubric, seed=seed),
        slices=[
            part
            for column, title in (slice_columns or {}).items()
            for part in slices(predictions, column, title, rubric, seed=seed)
        ],
        read=read,
        lineage=dict(lineage or {}),
        curves=Curves.of(Outcomes.of(predictions, rubric), predictions["cluster"].to_numpy()),
        probabilities=Probabilities.of(Outcomes.of(predictions, rubric), predictions["cluster"].to_numpy()),
        errors=Errors.of(predictions, rubric),
    )
    evaluation.warnings.extend(cautions(evaluation, predictions))
    return evaluation


def _weighted_as(predictions: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Return a baseline's table with the probabilities of inclusion of the model's, if it has them."""
    if INCLUSION not in predictions:
        return baseline
    return baseline.assign(**{INCLUSION: baseline["id"].map(predictions.set_index("id")[INCLUSION])})


def with_training(evaluation: Evaluation, curve: pd.DataFrame) -> Evaluation:
    """Return the evaluation with the cost of training from a Curve table, fold models included."""
    if curve.empty:
        return evaluation
    spent = {"updates": float(len(curve)), "tokens": float(curve["tokens"].sum())}
    spent["seconds"] = float(curve["seconds"].sum())
    if "fold" in curve:
        if (curve["fold"] > 0).any():
            spent["fold_models"] = float(curve["fold"].max())
        for name, fold in (("refit_seconds", SHIPPED), ("learning_curve_seconds", OF_A_PART)):
            if (curve["fold"] == fold).any():
                spent[name] = float(curve.loc[curve["fold"] == fold, "seconds"].sum())
    for name in ("processor_seconds", "joules"):
        # A run that an earlier release began lacks the counters of its first updates: the total is then unknown.
        if name in curve and curve[name].notna().all():
            spent[name] = float(curve[name].sum())
    warnings = list(evaluation.warnings)
    if "refit_seconds" in spent and not evaluation.refit:
        warnings.append(
            "The model was fitted to all labels, too, and that fit orders the documents otherwise; so the measured "
            "model ships, which has seen a part of them. Look at the losses, or at how much the seed matters."
        )
    return replace(evaluation, training=spent, warnings=warnings)


def with_raters(evaluation: Evaluation, predictions: pd.DataFrame, ratings: pd.DataFrame) -> Evaluation:
    """Return the evaluation with the agreement of the raters. `ratings`: rows as in `predictions`, a column per rater.

    If there are too few ratings, a warning replaces the figures: the rest of the evaluation is still valid.
    """
    try:
        found = measure_raters(
            ratings,
            clusters=predictions["cluster"].to_numpy(),
            scores=predictions["score"].to_numpy(),
            labels=predictions["label"].to_numpy(),
        )
    except InputError as error:
        return replace(
            evaluation, warnings=[*evaluation.warnings, f"The agreement of the raters was not measured: {error}."]
        )
    return replace(evaluation, raters=found)


def with_gates(evaluation: Evaluation, verdicts: Sequence[Verdict]) -> Evaluation:
    """Return the evaluation with these verdicts. Refusals also become warnings, so that the terminal shows them."""
    return replace(evaluation, gates=list(verdicts), warnings=[*evaluation.warnings, *refusals(verdicts)])
