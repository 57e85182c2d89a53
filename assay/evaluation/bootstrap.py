"""Intervals and comparisons that respect clusters: near-duplicates and groups are drawn together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.evaluation.metrics import METRICS, Outcomes, measure
from assay.rubric import Rubric

LEAST_CLUSTERS = 30
"""Below it a percentile interval covers clearly less than it says, and none is given."""
LEAST_POSITIVE = 5
"""Kept-class documents below which the metrics of that class get no interval."""
OF_THE_KEPT_CLASS = ("f1", "precision", "recall", "average_precision")


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval.

    Estimand: the metric of this very model on all documents of the kind of the test part. Population: clusters
    like those sampled. Method: percentile bootstrap over clusters (Field and Welsh 2007). `low` and `high` are
    None below 30 clusters, and for the kept class below 5 of its documents. What training with another seed
    would give is not in it.
    """

    value: float | None
    """None where the metric is undefined."""
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another on the same documents, in a metric's own units.

    Positive is better, also where the metric is an error. Method: the same clusters are drawn for both.
    """

    value: float | None
    low: float | None
    high: float | None
    p_better: float | None
    """Share of the resamples in which it is better; ties count half."""


def draws(clusters: Sequence[int] | NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each of n documents counts in each resample, shape (resamples, n)."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(index.max()) + 1
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    return times[:, index]


def _all_draws(outcomes: Outcomes, weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    rows = [measure(outcomes, weight.astype(float)) for weight in weights]
    return {name: np.array([row[name] for row in rows]) for name in METRICS}


def bootstrap(
    predictions: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Every metric of a Predictions table, with its interval."""
    outcomes = Outcomes.of(predictions, rubric)
    values = measure(outcomes)
    enough = predictions["cluster"].nunique() >= LEAST_CLUSTERS
    drawn = _all_draws(outcomes, draws(predictions["cluster"].to_numpy(), resamples, seed)) if enough else {}
    few_kept = outcomes.positive.sum() < LEAST_POSITIVE
    intervals = {}
    for name, value in values.items():
        known = enough and not (few_kept and name in OF_THE_KEPT_CLASS) and np.isfinite(value)
        low, high = _quantiles(drawn[name], level) if known else (None, None)
        intervals[name] = Interval(float(value) if np.isfinite(value) else None, low, high)
    return intervals


def paired_bootstrap(
    one: pd.DataFrame,
    other: pd.DataFrame,
    rubric: Rubric,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """By how much `one` is better than `other`, two Predictions tables of the same documents.

    Raises InputError where the documents, their labels or their clusters differ.
    """
    a, b = one.sort_values("id", ignore_index=True), other.sort_values("id", ignore_index=True)
    if not a[["id", "label", "cluster"]].equals(b[["id", "label", "cluster"]]):
        raise InputError("two models can only be compared on the same documents with the same labels and clusters")
    first, second = Outcomes.of(a, rubric), Outcomes.of(b, rubric)
    here, there = measure(first), measure(second)
    enough = a["cluster"].nunique() >= LEAST_CLUSTERS
    weights = draws(a["cluster"].to_numpy(), resamples, seed) if enough else np.zeros((0, len(a)), np.int64)
    drawn_a, drawn_b = _all_draws(first, weights), _all_draws(second, weights)
    few_kept = first.positive.sum() < LEAST_POSITIVE
    differences = {}
    for name, metric in METRICS.items():
        sign = 1 if metric.higher_is_better else -1
        value = sign * (here[name] - there[name])
        known = enough and not (few_kept and name in OF_THE_KEPT_CLASS) and np.isfinite(value)
        drawn = sign * (drawn_a[name] - drawn_b[name])
        finite = drawn[np.isfinite(drawn)]
        low, high = _quantiles(drawn, level) if known else (None, None)
        better = float((finite > 0).mean() + (finite == 0).mean() / 2) if known and len(finite) else None
        differences[name] = Difference(float(value) if np.isfinite(value) else None, low, high, better)
    return differences


def _quantiles(drawn: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < len(drawn) / 2:
        return None, None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
