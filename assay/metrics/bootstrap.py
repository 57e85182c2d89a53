"""Intervals of metrics and paired comparisons. A resample draws whole clusters of near-duplicates and groups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.metrics.enough import LEAST_CLUSTERS, refusals
from assay.metrics.metrics import METRICS, Outcomes, measure, measure_resamples
from assay.metrics.weighting import INCLUSION, corpus_weights
from assay.proportions import CONFIDENCE, Clustered, effective_clusters
from assay.rubric import Rubric
from assay.storage import only_known_fields


@only_known_fields
@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval.

    Estimand: the metric of this one model on all documents of the kind of the test part. Population: clusters
    like those sampled, with as many positive documents among them. Method: percentile bootstrap over clusters (Field
    and Welsh 2007); for precision and recall the exact interval on the independent documents that those of the clusters
    are worth (Korn and Graubard 1998). The bootstrap would give 1.00 to 1.00 to five kept documents that are all right.
    `low` and `high` are None below 50 effective clusters, for the kept class below 8 effective clusters of positive
    documents, and for precision and F1 below 5 of kept ones. The interval does not cover the variance over training
    seeds.
    """

    value: float | None
    """Figure on all documents; None if the metric is undefined."""
    low: float | None
    """Lower end of the interval; None if there is no interval."""
    high: float | None
    """Upper end of the interval; None if there is no interval."""
    n: int = 0
    """Number of documents measured."""
    undefined_share: float = 0.0
    """Share of the resamples in which the metric was undefined; above one half there is no interval."""

    def in_words(self) -> str:
        """Return `0.71 (0.62 to 0.79)`, the figure alone if there is no interval, or `undefined`."""
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return _two_decimals(self.value)
        return f"{_two_decimals(self.value)} ({_two_decimals(self.low)} to {_two_decimals(self.high)})"


@only_known_fields
@dataclass(frozen=True)
class Difference:
    """How much better one model is than another on the same documents, in the metric's own units.

    Positive means better, for errors too. Method: the same clusters are drawn for both models.
    """

    value: float | None
    """Difference on all documents; None if the metric is undefined for one of the models."""
    low: float | None
    """Lower end of the 95 % interval; None if there is no interval."""
    high: float | None
    """Upper end of the 95 % interval; None if there is no interval."""
    p_better: float | None
    """Share of the resamples in which the first model is better; ties count half."""
    p: float | None = None
    """Two-sided p-value of the hypothesis that the models are equally good, by inverting the percentile interval:
    2 (1 + r) / (1 + resamples), at most 1, if r resamples are on the rarer side of 0 or at 0. The 1 is that of Davison
    and Hinkley (1997, 4.2): a finite number of resamples never gives p = 0."""
    p_holm: float | None = None
    """p for the primary metric; for the others p with Holm's correction for their number."""

    def in_words(self) -> str:
        """Return `+0.031 (-0.002 to +0.064)`, the figure alone if there is no interval, or `undefined`."""
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:+.3f}"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def _two_decimals(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def draws(clusters: Sequence[int] | NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each of n documents counts in each resample, shape (resamples, n)."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(index.max()) + 1
    generator = np.random.default_rng(seed)
    # Clusters are drawn, not documents: near-duplicates are not independent observations.
    times = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    return times[:, index]


@dataclass(frozen=True)
class Resampled:
    """The metrics of one model on its documents and on every resample. Drawn once, compared with any number."""

    predictions: pd.DataFrame
    """Predictions table, sorted by id."""
    values: dict[str, float]
    """Metric -> its value on all documents."""
    drawn: dict[str, NDArray[np.float64]]
    """Metric -> its value on each resample, shape (resamples,); empty if no metric gets an interval."""
    refused: dict[str, str]
    """Metric -> reason why it gets no interval. A metric with an interval is not in it."""
    exact: dict[str, tuple[float, float]]
    """Metric that is a share of documents -> its exact 95 % interval."""

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
        """Measure a Predictions table. Equal seeds draw the same clusters for every model of the same documents.

        With a column `inclusion` each document counts by its `corpus_weights`, and precision and recall get intervals
        by the bootstrap: exact ones know no weights.
        """
        # The order of the documents decides which cluster a draw is: without it, comparisons would not be paired.
        table = predictions.sort_values("id", ignore_index=True)
        outcomes, weight = Outcomes.of(table, rubric), corpus_weights(table)
        drawn: dict[str, NDArray[np.float64]] = {}
        refused = refusals(table, rubric)
        if not set(metrics) <= set(refused):
            times = draws(table["cluster"].to_numpy(), resamples, seed)
            drawn = measure_resamples(outcomes, times * weight if INCLUSION in table else times, metrics)
        exact = {} if INCLUSION in table else _exact(table, outcomes)
        return cls(table, measure(outcomes, weight, metrics), drawn, refused, exact)

    def _known(self, name: str, value: float) -> bool:
        return bool(self.drawn) and bool(np.isfinite(value)) and name not in self.refused

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Return every metric with its interval."""
        found = {}
        for name, value in self.values.items():
            low, high = _quantiles(self.drawn[name], level) if self._known(name, value) else (None, None)
            if low is not None and name in self.exact and level == CONFIDENCE:
                low, high = self.exact[name]
            undefined = float((~np.isfinite(self.drawn[name])).mean()) if self.drawn else 0.0
            count = len(self.predictions)
            found[name] = Interval(float(value) if np.isfinite(value) else None, low, high, count, undefined)
        return found

    def minus(self, other: "Resampled", level: float = 0.95) -> dict[str, Difference]:
        """Return by how much this model is better in every metric.

        Raise InputError if the documents, their labels, their clusters or their probabilities of inclusion differ.
        """
        columns = ["id", "label", "cluster", INCLUSION]
        mine, theirs = (table.reindex(columns=columns) for table in (self.predictions, other.predictions))
        if not mine.equals(theirs):
            raise InputError(
                "two models can only be compared on the same documents with the same labels, clusters and weights"
            )
        found = {}
        for name in self.values:
            # A lower error is a gain, so that positive always means better.
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


def _exact(table: pd.DataFrame, outcomes: Outcomes) -> dict[str, tuple[float, float]]:
    """Return the exact intervals of precision and recall, as far as they are defined."""
    clusters, found = table["cluster"].to_numpy(), {}
    keep = outcomes.keep.astype(bool)
    for name, trials, success in (("precision", keep, outcomes.positive), ("recall", outcomes.positive, keep)):
        if trials.any():
            low, high = Clustered.of(success[trials], clusters[trials]).interval()
            found[name] = (float(low), float(high))
    return found


def bootstrap(
    predictions: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Return every metric of a Predictions table with its interval."""
    return Resampled.of(predictions, rubric, resamples=resamples, seed=seed).intervals(level)


def paired_bootstrap(
    one: pd.DataFrame, other: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Difference]:
    """Return by how much `one` is better than `other`: Predictions tables of the same documents.

    Raise InputError as `Resampled.minus` does.
    """
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
    """Return any named figures of n documents with their intervals. Below 50 effective clusters there are no intervals.

    `figures` gets how often each document counts, shape (n,). Whatever it computed beforehand, such as folds or bins,
    is not resampled.
    """
    count = len(clusters)
    values = figures(np.ones(count))
    drawn: list[Mapping[str, float]] = []
    if effective_clusters(clusters) >= LEAST_CLUSTERS - 1e-6:
        drawn = [figures(weight.astype(float)) for weight in draws(clusters, resamples, seed)]
    found = {}
    for name, value in values.items():
        column = np.array([row[name] for row in drawn])
        low, high = _quantiles(column, level) if drawn and np.isfinite(value) else (None, None)
        undefined = float((~np.isfinite(column)).mean()) if drawn else 0.0
        found[name] = Interval(float(value) if np.isfinite(value) else None, low, high, count, undefined)
    return found


def _two_sided(drawn: NDArray[np.float64]) -> float:
    # Draws at 0 count on both sides: a model compared with itself gets p = 1.
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + len(drawn)))


def _quantiles(drawn: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    finite = drawn[np.isfinite(drawn)]
    # The metric is undefined in some resamples, such as precision if none of the few kept documents was drawn. If most
    # are undefined, the quantiles of the rest describe a small and selected part of the distribution.
    if len(finite) < len(drawn) / 2:
        return None, None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
