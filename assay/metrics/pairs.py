"""How often the score puts two documents in the right order, by how far apart their labels are."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.bootstrap import Interval, bootstrap_figures
from assay.rubric import Rubric

FloatArray = NDArray[np.float64]
MOST_GAPS = 12
"""Bins of the gap; on a longer scale they are wider than a grade."""
MOST_LEVELS = 64
"""Distinct labels that are told apart; of more, labels count as rounded to a quarter of a bin."""
LEAST_SIDE = 5
"""Documents on either side of the pairs below which there is no interval."""


@dataclass(frozen=True)
class PairAccuracy:
    """Of pairs of documents whose labels are about one distance apart, the share that the score orders as they are.

    Estimand: the probability that, of two documents drawn at random whose labels differ by so much, the one with the
    higher label has the higher score; equal scores count half (for two levels alone, the area under the ROC curve).
    Population: pairs of documents like these. Method: percentile bootstrap over clusters, where a pair counts as the
    product of how often its documents were drawn. No interval below 50 clusters, nor below 5 documents on a side.
    """

    low: float
    """Smallest difference of the labels."""
    high: float
    """The pairs differ by less than this."""
    pairs: int
    """So many of them."""
    accuracy: Interval = field(default_factory=lambda: Interval(None, None, None))


def pair_accuracy(
    predictions: pd.DataFrame, rubric: Rubric, *, resamples: int = 1000, seed: int = 0
) -> list[PairAccuracy]:
    """Of a Predictions table, for each distance that occurs, the smallest first: bins of one grade around the grades.

    Costs, per resample, documents times levels of the label, not the number of pairs.
    """
    width = max(1.0, (rubric.high - rubric.low) / MOST_GAPS)
    label = predictions["label"].to_numpy(float)
    if len(np.unique(label)) > MOST_LEVELS:
        label = np.round(label / width * 4) / 4 * width
    level, place = np.unique(label, return_inverse=True)
    # A gap in the middle of two bins belongs to the upper one, whatever the arithmetic of floats says.
    gap = np.round(np.subtract.outer(level, level) / width, 9)
    number = np.floor(gap + 0.5).astype(int)
    _, tie = np.unique(predictions["score"].to_numpy(float), return_inverse=True)
    by_score = np.argsort(tie, kind="stable")
    count = _Pairs(place[by_score], tie[by_score], len(level))
    kinds = [(bin_, number == bin_) for bin_ in np.unique(number[number > 0])]

    def figures(weight: FloatArray) -> dict[str, float]:
        right, every = count(weight[by_score])
        return {str(bin_): _ratio(right[which].sum(), every[which].sum()) for bin_, which in kinds}

    if not kinds:
        return []
    intervals = bootstrap_figures(figures, predictions["cluster"].to_numpy(), resamples=resamples, seed=seed)
    documents = np.bincount(place, minlength=len(level))
    found = []
    for bin_, which in kinds:
        interval = intervals[str(bin_)]
        sides = (documents[which.any(axis=axis)].sum() for axis in (0, 1))
        if min(sides) < LEAST_SIDE:
            interval = Interval(interval.value, None, None, interval.n)
        pairs = int(np.outer(documents, documents)[which].sum())
        found.append(PairAccuracy(float((bin_ - 0.5) * width), float((bin_ + 0.5) * width), pairs, interval))
    return found


class _Pairs:
    """Counts of pairs by their two levels; documents come sorted by score."""

    def __init__(self, level: NDArray[np.int64], tie: NDArray[np.int64], levels: int) -> None:
        """`level` and `tie`, the number of the group of equal scores, of each of n documents, shape (n,)."""
        self.of_level, self.tie = np.eye(levels)[level], tie
        self.starts = np.flatnonzero(np.diff(tie, prepend=-1))

    def __call__(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights of the pairs in the right order, and of all, shape (levels, levels) each: [upper, lower]."""
        counted = self.of_level * weight[:, None]
        group = np.add.reduceat(counted, self.starts, axis=0)
        below = (np.cumsum(group, axis=0) - group / 2)[self.tie]
        total = counted.sum(axis=0)
        return counted.T @ below, np.outer(total, total)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
