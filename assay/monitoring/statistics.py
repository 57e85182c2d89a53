"""Distances of two samples of counts, and their p-values under the hypothesis of one population.

All p-values hold in samples of any size, for documents drawn independently; of others `deflated` counts the independent
documents that they are worth. They treat the reference as a sample too,
which is often the smaller one.
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
"""Shuffles at least as far apart as the samples after which no more are drawn."""
SHUFFLES_A_LEVEL = 2.0
"""Largest number of shuffles, times the level. With 2, the p-value is at most the level even if one shuffle is as far
apart."""
FIRST, MOST_AT_ONCE = 100, 100_000
MOST_DOCUMENTS = 900_000_000
"""Documents of both samples together: NumPy's multivariate hypergeometric draws refuse a total of 10^9 or more."""


def merge_cells(a: IntArray, b: IntArray, cells: int) -> tuple[IntArray, IntArray]:
    """Return counts on a fine grid as counts in at most `cells` cells, with about as many documents of both in each.

    The cells depend only on the two samples together, not on the sample of each document. So shuffling keeps them, and
    the test by shuffling is exact.
    """
    both = np.cumsum(a + b)
    cut = np.ceil(np.arange(1, cells) * both[-1] / cells)
    # A cell of the grid is not cut: it belongs to the cell in which its first document is.
    cell = np.searchsorted(cut, both - (a + b), side="right")
    return np.bincount(cell, a).astype(np.int64), np.bincount(cell, b).astype(np.int64)


def deflated(counts: IntArray, worth: float) -> IntArray:
    """Return counts of as many documents as these are worth, in the same shares as nearly as whole numbers allow.

    `worth`: independent documents that one of these is worth, at most 1.
    """
    if worth >= 1:
        return counts
    wanted = counts * worth
    whole = np.floor(wanted).astype(np.int64)
    # Largest remainders: the rounded counts add up to the rounded total.
    missing = int(wanted.sum()) - int(whole.sum())
    whole[np.argsort(-(wanted - whole), kind="stable")[:missing]] += 1
    return whole


def psi(a: IntArray, b: IntArray) -> FloatArray:
    """Return the population stability index of counts of shape (..., cells).

    Half a document is added to each cell, because the logarithm of an empty one is infinite.
    """
    p = (a + 0.5) / (a + 0.5).sum(axis=-1, keepdims=True)
    q = (b + 0.5) / (b + 0.5).sum(axis=-1, keepdims=True)
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def psi_of_chance(a: float, b: float, cells: int) -> float:
    """Return the average index of samples of a and b documents from one population.

    (cells - 1) (1/a + 1/b): divided by (1/a + 1/b), the index follows a chi-square distribution with cells - 1 degrees
    of freedom. Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation, 2020.
    """
    return (cells - 1) * (1 / a + 1 / b)


def g_statistic(a: IntArray, b: IntArray) -> FloatArray:
    """Return the likelihood-ratio statistic of homogeneity of counts of shape (..., cells)."""
    both = (a + b).astype(float)
    total = both.sum(axis=-1, keepdims=True)
    parts = []
    for counts in (a, b):
        expected = both * counts.sum(axis=-1, keepdims=True) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(np.where(counts > 0, counts * np.log(counts / expected), 0.0).sum(axis=-1))
    return 2 * (parts[0] + parts[1])


def total_variation(a: IntArray, b: IntArray) -> float:
    """Return half the sum of the absolute differences of all shares: the smallest share of documents that changed."""
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def shuffled_p(a: IntArray, b: IntArray, distance: Distance, *, level: float, seed: int = 0) -> float:
    """Return the probability of a distance at least this large if chance alone decides the sample of each document.

    An exact conditional test: given the documents of both in each cell, the documents of one sample are a draw from
    them without replacement. There are as many draws as p at or below `level` needs, and fewer if p is larger: Besag
    and Clifford, "Sequential Monte Carlo p-values", Biometrika, 1991. Such a p-value is never too small. Raise
    InputError for more documents than can be drawn from.
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
        # Without the margin, rounding would count a shuffle that equals the samples as nearer.
        as_far = distance(drawn, both - drawn) >= found * (1 - 1e-12)
        if reached + as_far.sum() >= EXCEEDANCES:
            last = int(np.flatnonzero(as_far)[EXCEEDANCES - reached - 1])
            return EXCEEDANCES / (done + last + 1)
        reached += int(as_far.sum())
        done += size
        size = min(2 * size, MOST_AT_ONCE)  # a large p is settled by few shuffles, a small one needs all
    # The samples themselves count as one more shuffle, so that p is never 0.
    return (reached + 1) / (done + 1)


def ks_distance(a: IntArray, b: IntArray) -> float:
    """Return the largest distance of the distribution functions of counts in the order of a grid."""
    return float(np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max())


def ks_p(distance: float, a: float, b: float) -> float:
    """Return a bound of the probability of at least this distance between samples of a and b documents.

    e exp(-2 d² ab / (a + b)): Wei and Dudley, "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", Statistics and
    Probability Letters, 2012. They prove the constant e for a = b, and find by computation that 2 is enough otherwise.
    A grid, and ties, only make the distance smaller.
    """
    return min(1.0, math.exp(1 - 2 * distance**2 * a * b / (a + b)))


def ks_seen_from(a: float, b: float, level: float) -> float:
    """Return the smallest distance with `ks_p` at most `level`."""
    return min(1.0, math.sqrt((1 - math.log(level)) * (a + b) / (2 * a * b)))


def share_p(a: int, of_a: int, b: int, of_b: int) -> float:
    """Return the two-sided p-value of Fisher's exact test of `a` of `of_a` documents against `b` of `of_b`."""
    return float(fisher_exact([[a, of_a - a], [b, of_b - b]]).pvalue)
