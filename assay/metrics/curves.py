"""The curves of an evaluation: precision and recall, calibration, confusion matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.metrics.metrics import Outcomes
from assay.proportions import Clustered
from assay.storage import only_known_fields

MOST_POINTS = 200
"""Largest number of points of the precision-recall curve."""
MOST_GRADES = 12
"""Largest number of grades for a confusion matrix."""


@only_known_fields
@dataclass(frozen=True)
class Curves:
    """The data of the charts of n predictions, as plain lists."""

    recall: list[float]
    """Recall of the kept class, ascending, at most 200 points; empty if no label reaches the threshold."""
    precision: list[float]
    """Precision at the same scores."""
    predicted: list[float]
    """Mean p_keep of each non-empty bin of the calibration error."""
    observed: list[float]
    """Share of the bin's labels that reach the threshold."""
    observed_low: list[float]
    """Lower end of the 95 % interval, exact on the independent documents that the bin's are worth."""
    observed_high: list[float]
    """Upper end of the same interval."""
    confusion: list[list[int]]
    """Documents by whole label (rows) and grade (columns), lowest first; empty for more than 12 grades."""

    @classmethod
    def of(cls, outcomes: Outcomes, clusters: NDArray[np.int64] | None = None) -> "Curves":
        """Compute the curves of n outcomes. `clusters`, of shape (n,): by default each document is its own."""
        cluster = np.arange(len(outcomes.label)) if clusters is None else clusters
        # Equal scores are one point of the curve: the order within them is arbitrary.
        order, tie = outcomes.ranking
        found, reached = np.cumsum(outcomes.positive[order]), np.arange(1, len(order) + 1)
        ends = np.flatnonzero(np.diff(tie, append=tie[-1] + 1)) if found[-1] else np.zeros(0, np.int64)
        if len(ends) > MOST_POINTS:
            ends = ends[np.linspace(0, len(ends) - 1, MOST_POINTS).round().astype(int)]
        predicted, observed, low, high = [], [], [], []
        for number in np.unique(outcomes.bins):
            inside = outcomes.bins == number
            interval = Clustered.of(outcomes.positive[inside], cluster[inside]).interval()
            predicted.append(float(outcomes.p_keep[inside].mean()))
            observed.append(float(outcomes.positive[inside].mean()))
            low.append(float(interval[0]))
            high.append(float(interval[1]))
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
