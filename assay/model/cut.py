"""One cut between kept and dropped documents, and the score that a number of documents reach."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]

EVERYTHING = -float(np.finfo(float).max)
"""Cut that every score reaches. It is finite because JSON has no infinity."""


@dataclass(frozen=True)
class Cut:
    """One point of a curve: the lowest kept score, with its precision and recall.

    Population: documents like the calibration documents, with as many positive ones among them. Intervals are exact
    ones at 95 % on the independent trials that the documents are worth (Korn and Graubard 1998; without clusters those
    of Clopper and Pearson 1934). They hold for a cut that was not chosen by them.
    """

    score: float | None
    """Lowest score that is kept. None if nothing is kept."""
    share: float
    """Share of the documents that is kept."""
    precision: float | None
    """Share of the kept documents whose label reaches the threshold. None if nothing is kept."""
    precision_interval: tuple[float, float]
    recall: float
    """Share of the documents whose label reaches the threshold that is kept."""
    recall_interval: tuple[float, float]


def cut_for(score: FloatArray, count: int) -> float | None:
    """Return a score that `count` documents reach, as nearly as ties allow. None if no document should reach it.

    It is halfway between neighbouring scores, so that rounding on another machine changes no decision.
    """
    if count == 0:
        return None
    ordered = np.sort(score)[::-1]
    if count == len(ordered):
        return EVERYTHING
    if ordered[count - 1] > ordered[count]:
        return float((ordered[count - 1] + ordered[count]) / 2)
    # Keep or drop the tie at the cut as a whole, whichever is nearer to the count.
    tied = ordered[count]
    reached, fewer = int((ordered >= tied).sum()), int((ordered > tied).sum())
    if reached - count <= count - fewer:
        below = ordered[ordered < tied]
        return float((tied + below[0]) / 2) if len(below) else EVERYTHING
    above = ordered[ordered > tied]
    return float((tied + above[-1]) / 2) if len(above) else None
