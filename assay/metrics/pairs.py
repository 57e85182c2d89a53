"""The share of document pairs that the score orders rightly, by the distance of their labels."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.bootstrap import Interval, bootstrap_figures
from assay.metrics.weighting import corpus_weights
from assay.rubric import Rubric
from assay.storage import only_known_fields

FloatArray = NDArray[np.float64]
MOST_GAPS = 12
"""Largest number of bins of the distance; on a longer scale a bin is wider than a grade."""
MOST_LEVELS = 64
"""Largest number of distinct labels; if there are more, labels are rounded to a quarter of a bin."""
LEAST_SIDE = 5
"""Smallest number of documents on either side of the pairs for an interval."""


@only_known_fields
@dataclass(frozen=True)
class PairAccuracy:
    """The share of pairs that the score orders rightly, of documents whose labels are about one distance apart.

    Estimand: of two random documents whose labels differ by this distance, the probability that the one with the higher
    label has the higher score. Equal scores count half. For two levels of the label it is the area under the ROC curve.
    Population: pairs of documents like these. Method: percentile bootstrap over clusters; a pair is weighted by the
    product of how often its two documents were drawn. No interval below 50 clusters or below 5 documents on a side.
    """

    low: float
    """Smallest difference of the labels."""
    high: float
    """Upper bound of the difference of the labels, exclusive."""
    pairs: int
    """Number of pairs."""
    accuracy: Interval = field(default_factory=lambda: Interval(None, None, None))
    """Share of the pairs that the score orders rightly."""


def pair_accuracy(
    predictions: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, seed: int = 0
) -> list[PairAccuracy]:
    """Return the accuracy for each distance that occurs in a Predictions table, the smallest distance first.

    A distance is a bin of one grade around a whole number of grades. A resample costs O(documents x levels of the
    label), not O(pairs).
    """
    width = max(1.0, (rubric.high - rubric.low) / MOST_GAPS)
    label = predictions["label"].to_numpy(float)
    # Each resample counts a matrix of levels x levels: means of ratings may have thousands of levels.
    if len(np.unique(label)) > MOST_LEVELS:
        label = np.round(label / width * 4) / 4 * width
    level, place = np.unique(label, return_inverse=True)
    # A distance between two bins belongs to the upper one. Rounding removes the float error that would decide it.
    gap = np.round(np.subtract.outer(level, level) / width, 9)
    number = np.floor(gap + 0.5).astype(int)
    _, tie = np.unique(predictions["score"].to_numpy(float), return_inverse=True)
    by_score, stands_for = np.argsort(tie, kind="stable"), corpus_weights(predictions)
    count = _Pairs(place[by_score], tie[by_score], len(level))
    kinds = [(bin_, number == bin_) for bin_ in np.unique(number[number > 0])]

    def figures(weight: FloatArray) -> dict[str, float]:
        right, every = count((weight * stands_for)[by_score])
        return {str(bin_): _ratio(right[which].sum(), every[which].sum()) for bin_, which in kinds}

    if not kinds:
        return []
    intervals = bootstrap_figures(figures, predictions["cluster"].to_numpy(), resamples=resamples, seed=seed)
    documents = np.bincount(place, minlength=len(level))
    found = []
    for bin_, which in kinds:
        interval = intervals[str(bin_)]
        # Thousands of pairs may share one document: then they are almost a single observation.
        sides = (documents[which.any(axis=axis)].sum() for axis in (0, 1))
        if min(sides) < LEAST_SIDE:
            interval = Interval(interval.value, None, None, interval.n)
        pairs = int(np.outer(documents, documents)[which].sum())
        found.append(PairAccuracy(float((bin_ - 0.5) * width), float((bin_ + 0.5) * width), pairs, interval))
    return found


class _Pairs:
    """Counts of pairs by their two levels, for documents sorted by score."""

    def __init__(self, level: NDArray[np.int64], tie: NDArray[np.int64], levels: int) -> None:
        """Prepare n documents. `tie` is the number of the group of equal scores; `level` and `tie` have shape (n,)."""
        self.of_level, self.tie = np.eye(levels)[level], tie
        self.starts = np.flatnonzero(np.diff(tie, prepend=-1))

    def __call__(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the weights of the rightly ordered pairs and of all, [upper, lower], shape (levels, levels) each."""
        counted = self.of_level * weight[:, None]
        group = np.add.reduceat(counted, self.starts, axis=0)
        # Half of the document's own group: pairs with equal scores count half.
        below = (np.cumsum(group, axis=0) - group / 2)[self.tie]
        total = counted.sum(axis=0)
        return counted.T @ below, np.outer(total, total)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
