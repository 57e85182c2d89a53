"""Two samples of counts: how far apart, and how likely that is where both come from one population.

All p-values hold in samples of any size, for documents drawn independently. They are those of two samples: that the
reference is one, too, and often the smaller one, is counted in.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from assay.errors import InputError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Distance = Callable[[NDArray[np.int64], NDArray[np.int64]], FloatArray]

PSI_CELLS = 10
EXCEEDANCES = 10
"""Shuffles at least as far apart after which a p-value is settled."""
SHUFFLES_A_LEVEL = 2.0
"""Most shuffles, times the level asked for: so many that one of them may be as far apart, and it is still below."""
FIRST, MOST_AT_ONCE = 100, 100_000
MOST_DOCUMENTS = 900_000_000
"""Of both samples together; NumPy's hypergeometric draws go no further."""


def merge_cells(a: IntArray, b: IntArray, cells: int) -> tuple[IntArray, IntArray]:
    """Counts on a fine grid, in its order, as counts in at most `cells` cells of about equally many of both together.

    The cells depend on the two samples together only, not on which document is whose; so shuffling keeps them.
    """
    both = np.cumsum(a + b)
    cut = np.ceil(np.arange(1, cells) * both[-1] / cells)
    cell = np.searchsorted(cut, both - (a + b), side="right")
    return np.bincount(cell, a).astype(np.int64), np.bincount(cell, b).astype(np.int64)


def psi(a: IntArray, b: IntArray) -> FloatArray:
    """Population stability index of counts of shape (..., cells), where empty cells count as half a document."""
    p = (a + 0.5) / (a + 0.5).sum(axis=-1, keepdims=True)
    q = (b + 0.5) / (b + 0.5).sum(axis=-1, keepdims=True)
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def psi_of_chance(a: int, b: int, cells: int) -> float:
    """What the index comes to by chance, on average, in samples of a and b documents of one population.

    (cells - 1) (1/a + 1/b), the mean of the chi-square distribution that it follows there but for that factor: Yurdakul
    and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation, 2020.
    """
    return (cells - 1) * (1 / a + 1 / b)


def g_statistic(a: IntArray, b: IntArray) -> FloatArray:
    """Likelihood-ratio statistic of homogeneity of counts of shape (..., cells)."""
    both = (a + b).astype(float)
    total = both.sum(axis=-1, keepdims=True)
    parts = []
    for counts in (a, b):
        expected = both * counts.sum(axis=-1, keepdims=True) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(np.where(counts > 0, counts * np.log(counts / expected), 0.0).sum(axis=-1))
    return 2 * (parts[0] + parts[1])


def total_variation(a: IntArray, b: IntArray) -> float:
    """Half the sum of the differences of all shares: the least share of documents that must have changed."""
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def shuffled_p(a: IntArray, b: IntArray, distance: Distance, *, level: float, seed: int = 0) -> float:
    """Probability of a distance at least this large where it is chance alone whose each document is.

    An exact conditional test: given how many documents of both lie in each cell, those of one sample are a draw from
    them without replacement. As many draws as are needed to be at or below `level`, fewer where it is clear before that
    it is not: Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika, 1991; such a p-value is never too
    small. Raises InputError for more documents than can be drawn from.
    """
    both = a + b
    if both.sum() > MOST_DOCUMENTS:
        raise InputError(f"more than {MOST_DOCUMENTS:,} documents cannot be compared", fix="Watch a part of them")
    rng = np.random.default_rng(seed)
    found = float(distance(a, b))
    most = math.ceil(SHUFFLES_A_LEVEL / level)
    done = reached = 0
    size = FIRST
    while done < most:
        size = min(size, most - done)
        drawn = rng.multivariate_hypergeometric(both, int(a.sum()), size=size, method="marginals")
        as_far = distance(drawn, both - drawn) >= found * (1 - 1e-12)
        if reached + as_far.sum() >= EXCEEDANCES:
            last = int(np.flatnonzero(as_far)[EXCEEDANCES - reached - 1])
            return EXCEEDANCES / (done + last + 1)
        reached += int(as_far.sum())
        done += size
        size = min(2 * size, MOST_AT_ONCE)
    return (reached + 1) / (done + 1)


def ks_distance(a: IntArray, b: IntArray) -> float:
    """Largest distance of the distribution functions of counts in the order of a grid."""
    return float(np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max())


def ks_p(distance: float, a: int, b: int) -> float:
    """A bound of the probability of at least this distance between samples of a and b documents of one population.

    e exp(-2 d² ab / (a + b)): Wei and Dudley, "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", Statistics and
    Probability Letters, 2012. They prove the constant e where a = b, and find by computation that 2 does elsewhere.
    A grid, and ties, only make the distance smaller.
    """
    return min(1.0, math.exp(1 - 2 * distance**2 * a * b / (a + b)))


def ks_seen_from(a: int, b: int, level: float) -> float:
    """The distance from which on `ks_p` is at most `level`."""
    return min(1.0, math.sqrt((1 - math.log(level)) * (a + b) / (2 * a * b)))


def share_p(a: int, of_a: int, b: int, of_b: int) -> float:
    """Fisher's exact test, two-sided, of a of so many documents beside b of so many."""
    return float(fisher_exact([[a, of_a - a], [b, of_b - b]]).pvalue)
