"""The metrics by which models are compared. Each accepts a weight per document, so a resample is a weight vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.rubric import Rubric

FloatArray = NDArray[np.float64]
BINS = 10
"""Number of equal-count bins of the calibration error."""


@dataclass(frozen=True)
class Outcomes:
    """Predictions and labels of n documents, as arrays of shape (n,)."""

    label: FloatArray
    score: FloatArray
    calibrated: FloatArray
    p_keep: FloatArray
    grade: NDArray[np.int64]
    keep: NDArray[np.bool_]
    rubric: Rubric

    @classmethod
    def of(cls, predictions: pd.DataFrame, rubric: Rubric) -> "Outcomes":
        """Take the columns of a Predictions table."""
        columns = ("label", "score", "calibrated", "p_keep", "grade", "keep")
        return cls(rubric=rubric, **{column: predictions[column].to_numpy() for column in columns})

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """True if the label reaches the threshold, shape (n,)."""
        return self.label >= self.rubric.threshold

    @cached_property
    def true_grade(self) -> NDArray[np.int64]:
        """Label as a whole number, halves rounded up, shape (n,)."""
        # np.round rounds halves to even: the mean 2.5 of two ratings would become 2, and 3.5 would become 4.
        return np.floor(self.label + 0.5).astype(np.int64)

    @cached_property
    def ranking(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Order by descending score, and the number of the group of equal scores at each place; shape (n,) each."""
        order = np.argsort(-self.score, kind="stable")
        ordered = self.score[order]
        return order, np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """Equal-count bin of each document's p_keep, shape (n,). Equal values share a bin."""
        return np.minimum((rankdata(self.p_keep, "average") - 0.5) * BINS / len(self.p_keep), BINS - 1).astype(np.int64)

    @cached_property
    def label_ranks(self) -> FloatArray:
        """Dense ranks of the labels, from 1, shape (n,)."""
        return rankdata(self.label, "dense").astype(float)

    @cached_property
    def score_ranks(self) -> FloatArray:
        """Dense ranks of the scores, from 1, shape (n,)."""
        return rankdata(self.score, "dense").astype(float)


def precision(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the share of the kept documents whose label reaches the threshold."""
    return _ratio(weight[outcomes.keep & outcomes.positive].sum(), weight[outcomes.keep].sum())


def recall(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the share of the documents whose label reaches the threshold that are kept."""
    return _ratio(weight[outcomes.keep & outcomes.positive].sum(), weight[outcomes.positive].sum())


def f1(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the harmonic mean of precision and recall of the kept class; 0 if no kept document is right."""
    # Without a document to keep, recall and so F1 are undefined, not 0.
    if weight[outcomes.positive].sum() == 0:
        return float("nan")
    right = weight[outcomes.keep & outcomes.positive].sum()
    return _ratio(2 * right, weight[outcomes.keep].sum() + weight[outcomes.positive].sum())


def average_precision(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the mean of the precision at each score, weighted by the gain in recall, without interpolation.

    It needs no cut point.
    """
    total = weight[outcomes.positive].sum()
    if total == 0:
        return float("nan")
    # Documents with equal scores are kept together: an order within them would be arbitrary.
    order, tie = outcomes.ranking
    kept = np.bincount(tie, weight[order])
    right = np.bincount(tie, weight[order] * outcomes.positive[order])
    reached, found = np.cumsum(kept), np.cumsum(right)
    precisions = np.divide(found, reached, out=np.zeros_like(found), where=reached > 0)
    return float((right * precisions).sum() / total)


def qwk(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return Cohen's kappa of grade and label with quadratic weights (Cohen 1968)."""
    return weighted_kappa(outcomes.grade.astype(float), outcomes.true_grade.astype(float), weight)


def weighted_kappa(a: FloatArray, b: FloatArray, weight: FloatArray) -> float:
    """Return the quadratically weighted kappa of two ratings of n documents, shape (n,) each; nan if nothing varies."""
    total = weight.sum()
    observed = (weight * (a - b) ** 2).sum() / total
    mean_a, mean_b = (weight * a).sum() / total, (weight * b).sum() / total
    # Under independence E(a-b)^2 = var a + var b + (mean a - mean b)^2.
    chance = (weight * a * a).sum() / total + (weight * b * b).sum() / total - 2 * mean_a * mean_b
    # If neither rating varies, rounding leaves a value near 0 that is not exactly 0.
    return float("nan") if chance <= 1e-12 else float(1 - observed / chance)


def _weighted_ranks(dense: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the average ranks in a sample in which each value occurs `weight` times.

    The ranks are those of a sample with repeated rows, up to a constant 1/2, which no correlation sees.
    """
    index = dense.astype(np.int64) - 1
    counts = np.bincount(index, weight)
    return (np.cumsum(counts) - counts / 2)[index]


def spearman(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return Spearman's rank correlation of score and label."""
    return rank_correlation(outcomes.score_ranks, outcomes.label_ranks, weight)


def rank_correlation(one: FloatArray, other: FloatArray, weight: FloatArray) -> float:
    """Return Spearman's correlation of n documents that count `weight` times, from their dense ranks, shape (n,) each.

    Dense ranks begin at 1. nan if one of the two does not vary.
    """
    a, b = _weighted_ranks(one, weight), _weighted_ranks(other, weight)
    total = weight.sum()
    a, b = a - (weight * a).sum() / total, b - (weight * b).sum() / total
    spread = (weight * a * a).sum() * (weight * b * b).sum()
    return float("nan") if spread <= 1e-9 else float((weight * a * b).sum() / np.sqrt(spread))


def mae(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the mean absolute difference of the expected label and the label, in labels."""
    return float((weight * np.abs(outcomes.calibrated - outcomes.label)).sum() / weight.sum())


def macro_f1(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the mean F1 over the grades that occur as labels."""
    scores = []
    # A grade without a label in this resample has no recall.
    for grade in np.unique(outcomes.true_grade[weight > 0]):
        is_label, is_grade = outcomes.true_grade == grade, outcomes.grade == grade
        right = weight[is_label & is_grade].sum()
        scores.append(2 * right / (weight[is_label].sum() + weight[is_grade].sum()))
    return float(np.mean(scores))


def calibration_error(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the expected calibration error of p_keep over ten equal-count bins (Naeini et al. 2015).

    It is biased upwards if the bins are small: a perfectly calibrated model has about 0.1 with 90 documents. Resampling
    adds to the bias, so that the whole bootstrap interval is then above 0. Read it together with the Brier score.
    """
    count = np.bincount(outcomes.bins, weight, minlength=BINS)
    gap = np.bincount(outcomes.bins, weight * (outcomes.p_keep - outcomes.positive), minlength=BINS)
    return float(np.abs(gap).sum() / count.sum())


def brier(outcomes: Outcomes, weight: FloatArray) -> float:
    """Return the mean squared error of p_keep."""
    return float((weight * (outcomes.p_keep - outcomes.positive) ** 2).sum() / weight.sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


@dataclass(frozen=True)
class Metric:
    """A metric and its direction."""

    name: str
    """Name in JSON and in the head of a rubric."""
    title: str
    """Name in tables and sentences."""
    compute: Callable[[Outcomes, FloatArray], float]
    """Function of the outcomes and of how often each document counts, shape (n,); nan if undefined."""
    higher_is_better: bool = True
    """False for errors."""


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
"""Name -> metric. The first four are about the kept class."""


def measure(
    outcomes: Outcomes, weight: FloatArray | None = None, names: Sequence[str] = tuple(METRICS)
) -> dict[str, float]:
    """Return the metrics `names`. A metric is nan if it is undefined, such as recall without a document to keep.

    `weight` is how often each document counts, shape (n,); by default once.
    """
    counts = np.ones(len(outcomes.label)) if weight is None else np.asarray(weight, float)
    return {name: METRICS[name].compute(outcomes, counts) for name in names}
