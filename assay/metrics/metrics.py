"""The figures by which models are compared. Each takes whole-number weights, so that a resample is a weight vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from assay.rubric import Rubric

FloatArray = NDArray[np.float64]
BINS = 10
"""Equal-count bins of the calibration error."""
MOST_POINTS = 200
"""Of the precision-recall curve."""
MOST_GRADES = 12
"""On a longer scale the confusion matrix is left out."""


@dataclass(frozen=True)
class Outcomes:
    """Predictions of n documents beside their labels, as arrays of shape (n,)."""

    label: FloatArray
    score: FloatArray
    calibrated: FloatArray
    p_keep: FloatArray
    grade: NDArray[np.int64]
    keep: NDArray[np.bool_]
    rubric: Rubric

    @classmethod
    def of(cls, predictions: pd.DataFrame, rubric: Rubric) -> "Outcomes":
        """From a Predictions table."""
        columns = ("label", "score", "calibrated", "p_keep", "grade", "keep")
        return cls(rubric=rubric, **{column: predictions[column].to_numpy() for column in columns})

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Whether the label reaches the threshold."""
        return self.label >= self.rubric.threshold

    @cached_property
    def true_grade(self) -> NDArray[np.int64]:
        """The label as a whole number, halves rounded up."""
        return np.floor(self.label + 0.5).astype(np.int64)

    @cached_property
    def ranking(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Order by falling score, and the number of each document's group of equal scores in it."""
        order = np.argsort(-self.score, kind="stable")
        ordered = self.score[order]
        return order, np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """Equal-count bin of each document's p_keep; ties stay together."""
        return np.minimum((rankdata(self.p_keep, "average") - 0.5) * BINS / len(self.p_keep), BINS - 1).astype(np.int64)

    @cached_property
    def label_ranks(self) -> FloatArray:
        return rankdata(self.label, "dense").astype(float)

    @cached_property
    def score_ranks(self) -> FloatArray:
        return rankdata(self.score, "dense").astype(float)


def precision(outcomes: Outcomes, weight: FloatArray) -> float:
    """Of the kept documents, the share whose label reaches the threshold."""
    return _ratio(weight[outcomes.keep & outcomes.positive].sum(), weight[outcomes.keep].sum())


def recall(outcomes: Outcomes, weight: FloatArray) -> float:
    """Of the documents whose label reaches the threshold, the share that is kept."""
    return _ratio(weight[outcomes.keep & outcomes.positive].sum(), weight[outcomes.positive].sum())


def f1(outcomes: Outcomes, weight: FloatArray) -> float:
    """Harmonic mean of precision and recall of the kept class; 0 where nothing right is kept."""
    if weight[outcomes.positive].sum() == 0:
        return float("nan")
    right = weight[outcomes.keep & outcomes.positive].sum()
    return _ratio(2 * right, weight[outcomes.keep].sum() + weight[outcomes.positive].sum())


def average_precision(outcomes: Outcomes, weight: FloatArray) -> float:
    """Mean over the recall of the precision at each score, without interpolation; needs no cut point."""
    total = weight[outcomes.positive].sum()
    if total == 0:
        return float("nan")
    order, tie = outcomes.ranking
    kept = np.bincount(tie, weight[order])
    right = np.bincount(tie, weight[order] * outcomes.positive[order])
    reached, found = np.cumsum(kept), np.cumsum(right)
    precisions = np.divide(found, reached, out=np.zeros_like(found), where=reached > 0)
    return float((right * precisions).sum() / total)


def qwk(outcomes: Outcomes, weight: FloatArray) -> float:
    """Cohen's kappa of grade and label with quadratic weights (Cohen 1968)."""
    return weighted_kappa(outcomes.grade.astype(float), outcomes.true_grade.astype(float), weight)


def weighted_kappa(a: FloatArray, b: FloatArray, weight: FloatArray) -> float:
    """Quadratically weighted kappa of two ratings of n documents that count `weight` times, shape (n,) each."""
    total = weight.sum()
    observed = (weight * (a - b) ** 2).sum() / total
    mean_a, mean_b = (weight * a).sum() / total, (weight * b).sum() / total
    # Under independence E(a-b)^2 = var a + var b + (mean a - mean b)^2.
    chance = (weight * a * a).sum() / total + (weight * b * b).sum() / total - 2 * mean_a * mean_b
    return float("nan") if chance <= 1e-12 else float(1 - observed / chance)


def _weighted_ranks(dense: FloatArray, weight: FloatArray) -> FloatArray:
    """Average ranks of a sample in which each value occurs `weight` times."""
    index = dense.astype(np.int64) - 1
    counts = np.bincount(index, weight)
    return (np.cumsum(counts) - counts / 2)[index]


def spearman(outcomes: Outcomes, weight: FloatArray) -> float:
    """Rank correlation of score and label."""
    return rank_correlation(outcomes.score_ranks, outcomes.label_ranks, weight)


def rank_correlation(one: FloatArray, other: FloatArray, weight: FloatArray) -> float:
    """Spearman's of n documents that count `weight` times, from their dense ranks, which begin at 1."""
    a, b = _weighted_ranks(one, weight), _weighted_ranks(other, weight)
    total = weight.sum()
    a, b = a - (weight * a).sum() / total, b - (weight * b).sum() / total
    spread = (weight * a * a).sum() * (weight * b * b).sum()
    return float("nan") if spread <= 1e-9 else float((weight * a * b).sum() / np.sqrt(spread))


def mae(outcomes: Outcomes, weight: FloatArray) -> float:
    """Mean absolute difference of the expected label and the label."""
    return float((weight * np.abs(outcomes.calibrated - outcomes.label)).sum() / weight.sum())


def macro_f1(outcomes: Outcomes, weight: FloatArray) -> float:
    """Mean F1 over the grades that occur as labels."""
    scores = []
    for grade in np.unique(outcomes.true_grade[weight > 0]):
        is_label, is_grade = outcomes.true_grade == grade, outcomes.grade == grade
        right = weight[is_label & is_grade].sum()
        scores.append(2 * right / (weight[is_label].sum() + weight[is_grade].sum()))
    return float(np.mean(scores))


def calibration_error(outcomes: Outcomes, weight: FloatArray) -> float:
    """Expected calibration error of p_keep over ten equal-count bins (Naeini et al. 2015).

    Biased upwards where bins are small: a perfectly calibrated model has about 0.1 with 90 documents. Resampling
    adds to the bias, so that its bootstrap interval then lies above 0 as a whole: read it beside the Brier score.
    """
    count = np.bincount(outcomes.bins, weight, minlength=BINS)
    gap = np.bincount(outcomes.bins, weight * (outcomes.p_keep - outcomes.positive), minlength=BINS)
    return float(np.abs(gap).sum() / count.sum())


def brier(outcomes: Outcomes, weight: FloatArray) -> float:
    """Mean squared error of p_keep."""
    return float((weight * (outcomes.p_keep - outcomes.positive) ** 2).sum() / weight.sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


@dataclass(frozen=True)
class Metric:
    """A figure, and which way is better."""

    name: str
    title: str
    compute: Callable[[Outcomes, FloatArray], float]
    higher_is_better: bool = True


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("f1", "F1", f1),
        Metric("precision", "precision", precision),
        Metric("recall", "recall", recall),
        Metric("average_precision", "average precision", average_precision),
        Metric("qwk", "QWK", qwk),
        Metric("spearman", "Spearman", spearman),
        Metric("mae", "MAE", mae, higher_is_better=False),
        Metric("macro_f1", "macro-F1", macro_f1),
        Metric("calibration_error", "calibration error", calibration_error, higher_is_better=False),
        Metric("brier", "Brier", brier, higher_is_better=False),
    )
}
"""The first four are of the kept class."""


def measure(
    outcomes: Outcomes, weight: FloatArray | None = None, names: Sequence[str] = tuple(METRICS)
) -> dict[str, float]:
    """Every metric; nan where its population is missing. `weight`: how often each document counts, shape (n,)."""
    counts = np.ones(len(outcomes.label)) if weight is None else np.asarray(weight, float)
    return {name: METRICS[name].compute(outcomes, counts) for name in names}


@dataclass(frozen=True)
class Curves:
    """What is drawn of n predictions, as plain lists."""

    recall: list[float]
    """Of the kept class, rising; empty where no label reaches the threshold. At most 200 points."""
    precision: list[float]
    """At the same scores."""
    predicted: list[float]
    """Mean p_keep of each non-empty bin of the calibration error."""
    observed: list[float]
    """Share of its labels that reach the threshold."""
    observed_low: list[float]
    """95 % interval of Wilson (1927) for documents that are independent; clusters make it wider."""
    observed_high: list[float]
    confusion: list[list[int]]
    """Documents by whole label (rows) and grade (columns), lowest first; empty for more than 12 grades."""

    @classmethod
    def of(cls, outcomes: Outcomes) -> "Curves":
        """Equal scores are one point of the curve: no order within them means anything."""
        order, tie = outcomes.ranking
        found, reached = np.cumsum(outcomes.positive[order]), np.arange(1, len(order) + 1)
        ends = np.flatnonzero(np.diff(tie, append=tie[-1] + 1)) if found[-1] else np.zeros(0, np.int64)
        if len(ends) > MOST_POINTS:
            ends = ends[np.linspace(0, len(ends) - 1, MOST_POINTS).round().astype(int)]
        predicted, observed, low, high = [], [], [], []
        for number in np.unique(outcomes.bins):
            inside = outcomes.bins == number
            share = binomtest(int(outcomes.positive[inside].sum()), int(inside.sum()))
            interval = share.proportion_ci(0.95, method="wilson")
            predicted.append(float(outcomes.p_keep[inside].mean()))
            observed.append(float(share.statistic))
            low.append(float(interval.low))
            high.append(float(interval.high))
        return cls(
            recall=(found[ends] / max(int(found[-1]), 1)).tolist(),
            precision=(found[ends] / reached[ends]).tolist(),
            predicted=predicted,
            observed=observed,
            observed_low=low,
            observed_high=high,
            confusion=_confusion(outcomes),
        )


def _confusion(outcomes: Outcomes) -> list[list[int]]:
    size = len(outcomes.rubric.grades)
    rows, columns = (np.clip(g - outcomes.rubric.low, 0, size - 1) for g in (outcomes.true_grade, outcomes.grade))
    matrix = np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)
    return matrix.tolist() if size <= MOST_GRADES else []
