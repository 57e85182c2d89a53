"""Intervals and comparisons that respect clusters: near-duplicates and groups are drawn together or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.metrics.metrics import METRICS, Outcomes, measure
from assay.rubric import Rubric

LEAST_CLUSTERS = 50
"""Below it no interval is given. Simulated coverage of a nominal 95 %: at 30 clusters 83-86 % for precision, recall
and average precision, 91-98 % for the others; at 60 clusters 90-92 % and 93-97 %; at 200 clusters 93-96 % for all.
The calibration error is left out of these: its interval is biased, as it is."""
LEAST_POSITIVE = 5
"""Kept-class documents below which the metrics of that class get no interval."""
OF_THE_KEPT_CLASS = ("f1", "precision", "recall", "average_precision")


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval.

    Estimand: the metric of this very model on all documents of the kind of the test part. Population: clusters
    like those sampled. Method: percentile bootstrap over clusters (Field and Welsh 2007). `low` and `high` are
    None below 50 clusters, and for the kept class below 5 of its documents. What training with another seed
    would give is not in it.
    """

    value: float | None
    """None where the metric is undefined."""
    low: float | None
    high: float | None
    n: int = 0
    """Documents it was measured on."""
    undefined_share: float = 0.0
    """Share of the resamples in which the metric was undefined; from one half on there is no interval."""


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
    p: float | None = None
    """Two-sided, of the hypothesis that the models are equally good, by turning the percentile interval round: 2 (1 +
    the resamples on the rarer side of 0, those at 0 included) / (1 + resamples), at most 1. The 1 is that of Davison
    and Hinkley (1997, 4.2): so few resamples can never say 0."""
    p_holm: float | None = None
    """The same as p for the primary metric; for others p corrected for their number."""


def draws(clusters: Sequence[int] | NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each of n documents counts in each resample, shape (resamples, n)."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(index.max()) + 1
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    return times[:, index]


@dataclass(frozen=True)
class Resampled:
    """One model's metrics on its documents and on every resample; drawn once, compared with many."""

    predictions: pd.DataFrame
    """Predictions, sorted by id."""
    values: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]
    """Metric -> its value on each resample, shape (resamples,); empty below 50 clusters."""
    few_kept: bool
    """Whether too few documents reach the threshold for intervals of the kept class."""

    @classmethod
    def of(
        cls,
        predictions: pd.DataFrame,
        rubric: Rubric,
        *,
        resamples: int = 1000,
        seed: int = 0,
        metrics: Sequence[str] = tuple(METRICS),
    ) -> "Resampled":
        """Equal seeds draw the same clusters for every model of the same documents."""
        table = predictions.sort_values("id", ignore_index=True)
        outcomes = Outcomes.of(table, rubric)
        drawn: dict[str, NDArray[np.float64]] = {}
        if table["cluster"].nunique() >= LEAST_CLUSTERS:
            weights = draws(table["cluster"].to_numpy(), resamples, seed)
            rows = [measure(outcomes, weight.astype(float), metrics) for weight in weights]
            drawn = {name: np.array([row[name] for row in rows]) for name in metrics}
        return cls(table, measure(outcomes, names=metrics), drawn, bool(outcomes.positive.sum() < LEAST_POSITIVE))

    def _known(self, name: str, value: float) -> bool:
        return bool(self.drawn) and bool(np.isfinite(value)) and not (self.few_kept and name in OF_THE_KEPT_CLASS)

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Every metric with its interval."""
        found = {}
        for name, value in self.values.items():
            low, high = _quantiles(self.drawn[name], level) if self._known(name, value) else (None, None)
            undefined = float((~np.isfinite(self.drawn[name])).mean()) if self.drawn else 0.0
            count = len(self.predictions)
            found[name] = Interval(float(value) if np.isfinite(value) else None, low, high, count, undefined)
        return found

    def minus(self, other: "Resampled", level: float = 0.95) -> dict[str, Difference]:
        """By how much this model is better in every metric.

        Raises InputError where the documents, their labels or their clusters differ.
        """
        columns = ["id", "label", "cluster"]
        if not self.predictions[columns].equals(other.predictions[columns]):
            raise InputError("two models can only be compared on the same documents with the same labels and clusters")
        found = {}
        for name in self.values:
            sign = 1 if METRICS[name].higher_is_better else -1
            value = sign * (self.values[name] - other.values[name])
            low = high = better = p = None
            if self._known(name, value):
                drawn = sign * (self.drawn[name] - other.drawn[name])
                low, high = _quantiles(drawn, level)
                finite = drawn[np.isfinite(drawn)]
                better = float((finite > 0).mean() + (finite == 0).mean() / 2) if len(finite) else None
                p = _two_sided(finite)
            found[name] = Difference(float(value) if np.isfinite(value) else None, low, high, better, p)
        return found


def bootstrap(
    predictions: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Every metric of a Predictions table, with its interval."""
    return Resampled.of(predictions, rubric, resamples=resamples, seed=seed).intervals(level)


def paired_bootstrap(
    one: pd.DataFrame, other: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Difference]:
    """By how much `one` is better than `other`, two Predictions tables of the same documents; see `Resampled.minus`."""
    a, b = (Resampled.of(table, rubric, resamples=resamples, seed=seed) for table in (one, other))
    return a.minus(b, level)


def bootstrap_figures(
    figures: Callable[[NDArray[np.float64]], Mapping[str, float]],
    clusters: Sequence[int] | NDArray[np.int64],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Any named figures of n documents, with their intervals; none below 50 clusters.

    `figures` takes how often each document counts, shape (n,); what it computes beyond that stays as it was.
    """
    count = len(clusters)
    values = figures(np.ones(count))
    drawn: list[Mapping[str, float]] = []
    if len(np.unique(np.asarray(clusters))) >= LEAST_CLUSTERS:
        drawn = [figures(weight.astype(float)) for weight in draws(clusters, resamples, seed)]
    found = {}
    for name, value in values.items():
        column = np.array([row[name] for row in drawn])
        low, high = _quantiles(column, level) if drawn and np.isfinite(value) else (None, None)
        undefined = float((~np.isfinite(column)).mean()) if drawn else 0.0
        found[name] = Interval(float(value) if np.isfinite(value) else None, low, high, count, undefined)
    return found


def _two_sided(drawn: NDArray[np.float64]) -> float:
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + len(drawn)))


def _quantiles(drawn: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < len(drawn) / 2:
        return None, None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
