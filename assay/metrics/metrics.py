"""The metrics by which models are compared. A resample is a vector of weights; all resamples are measured at once.

Each metric is a function of n outcomes and of how often each document counts, shape (..., n). It returns values of
shape (...,), nan where the metric is undefined.
"""

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
LARGEST = 2**18
"""Largest number of weights that are measured at once: 2 MiB, which a processor's cache holds."""


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


def precision(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the share of the kept documents whose label reaches the threshold."""
    return _ratio(weight @ (outcomes.keep & outcomes.positive), weight @ outcomes.keep)


def recall(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the share of the documents whose label reaches the threshold that are kept."""
    return _ratio(weight @ (outcomes.keep & outcomes.positive), weight @ outcomes.positive)


def f1(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the harmonic mean of precision and recall of the kept class; 0 if no kept document is right."""
    right, positive = weight @ (outcomes.keep & outcomes.positive), weight @ outcomes.positive
    # Without a document to keep, recall and so F1 are undefined, not 0.
    return np.where(positive > 0, _ratio(2 * right, weight @ outcomes.keep + positive), np.nan)


def average_precision(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the mean of the precision at each score, weighted by the gain in recall, without interpolation.

    It needs no cut point.
    """
    # Documents with equal scores are kept together: an order within them would be arbitrary.
    order, tie = outcomes.ranking
    begins = np.flatnonzero(np.diff(tie, prepend=-1))
    ordered = weight[..., order]
    right = np.add.reduceat(ordered * outcomes.positive[order], begins, axis=-1)
    reached = np.cumsum(np.add.reduceat(ordered, begins, axis=-1), axis=-1)
    precisions = np.cumsum(right, axis=-1)
    np.divide(precisions, reached, out=precisions, where=reached > 0)
    return _ratio((right * precisions).sum(-1), right.sum(-1))


def qwk(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return Cohen's kappa of grade and label with quadratic weights (Cohen 1968)."""
    return weighted_kappa(outcomes.grade.astype(float), outcomes.true_grade.astype(float), weight)


def weighted_kappa(a: FloatArray, b: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the quadratically weighted kappa of two ratings of n documents, shape (n,) each; nan if nothing varies.

    `weight` has shape (..., n), the result (...,).
    """
    total = weight.sum(-1)
    observed = weight @ (a - b) ** 2 / total
    mean_a, mean_b = weight @ a / total, weight @ b / total
    # Under independence E(a-b)^2 = var a + var b + (mean a - mean b)^2.
    chance = weight @ (a * a) / total + weight @ (b * b) / total - 2 * mean_a * mean_b
    # If neither rating varies, rounding leaves a value near 0 that is not exactly 0.
    return 1 - _ratio(observed, chance, above=1e-12)


def _weighted_ranks(dense: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the average ranks in samples in which each value occurs `weight` times, shape (..., n).

    The ranks are those of a sample with repeated rows, up to a constant 1/2, which no correlation sees.
    """
    index = dense.astype(np.int64) - 1
    order = np.argsort(index, kind="stable")
    counts = np.add.reduceat(weight[..., order], np.flatnonzero(np.diff(index[order], prepend=-1)), axis=-1)
    return (np.cumsum(counts, axis=-1) - counts / 2)[..., index]


def spearman(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation of score and label."""
    return rank_correlation(outcomes.score_ranks, outcomes.label_ranks, weight)


def rank_correlation(one: FloatArray, other: FloatArray, weight: FloatArray) -> FloatArray:
    """Return Spearman's correlation of n documents that count `weight` times, from their dense ranks, shape (n,) each.

    Dense ranks begin at 1. nan if one of the two does not vary. `weight` has shape (..., n), the result (...,).
    """
    total = weight.sum(-1, keepdims=True)
    a, b = _weighted_ranks(one, weight), _weighted_ranks(other, weight)
    a -= (weight * a).sum(-1, keepdims=True) / total
    b -= (weight * b).sum(-1, keepdims=True) / total
    spread = (weight * a * a).sum(-1) * (weight * b * b).sum(-1)
    return _ratio((weight * a * b).sum(-1), np.sqrt(spread), above=np.sqrt(1e-9))


def mae(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the mean absolute difference of the expected label and the label, in labels."""
    return weight @ np.abs(outcomes.calibrated - outcomes.label) / weight.sum(-1)


def macro_f1(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the mean F1 over the grades that occur as labels."""
    grades = np.unique(outcomes.true_grade)
    is_label, is_grade = (part[:, None] == grades for part in (outcomes.true_grade, outcomes.grade))
    label = weight @ is_label
    scores = _ratio(2 * weight @ (is_label & is_grade), label + weight @ is_grade)
    # A grade without a label in a resample has no recall there.
    occurs = label > 0
    return np.where(occurs, scores, 0).sum(-1) / occurs.sum(-1)


def calibration_error(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the expected calibration error of p_keep over ten equal-count bins (Naeini et al. 2015).

    It is biased upwards if the bins are small: a perfectly calibrated model has about 0.1 with 90 documents. Resampling
    adds to the bias, so that the whole bootstrap interval is then above 0. Read it together with the Brier score.
    """
    in_bin = outcomes.bins[:, None] == np.arange(BINS)
    gap = weight @ (in_bin * (outcomes.p_keep - outcomes.positive)[:, None])
    return np.abs(gap).sum(-1) / weight.sum(-1)


def brier(outcomes: Outcomes, weight: FloatArray) -> FloatArray:
    """Return the mean squared error of p_keep."""
    return weight @ (outcomes.p_keep - outcomes.positive) ** 2 / weight.sum(-1)


def _ratio(part: FloatArray, whole: FloatArray, above: float = 0) -> FloatArray:
    """Return part / whole; nan if `whole` is not above `above`."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > above)


@dataclass(frozen=True)
class Metric:
    """A metric and its direction."""

    name: str
    """Name in JSON and in the head of a rubric."""
    title: str
    """Name in tables and sentences."""
    compute: Callable[[Outcomes, FloatArray], FloatArray]
    """Function of the outcomes and of how often each document counts, shape (..., n); nan if undefined."""
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
    return {name: float(METRICS[name].compute(outcomes, counts)) for name in names}


def measure_resamples(
    outcomes: Outcomes, weights: NDArray[np.int64] | FloatArray, names: Sequence[str] = tuple(METRICS)
) -> dict[str, FloatArray]:
    """Return the metrics `names` of every resample, shape (resamples,) each.

    `weights` is how often each document counts in each resample, shape (resamples, n).
    """
    # Average precision and ranks need several arrays of this size at a time.
    at_once = max(1, LARGEST // len(outcomes.label))
    parts = [weights[start : start + at_once].astype(float) for start in range(0, len(weights), at_once)]
    return {name: np.concatenate([METRICS[name].compute(outcomes, part) for part in parts]) for name in names}
