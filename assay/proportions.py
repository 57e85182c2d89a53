"""Exact intervals of proportions, and the number of independent trials that documents in clusters are worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, ndtri, stdtrit

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95
"""Confidence of the intervals and promises."""


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, tail: float = (1 - CONFIDENCE) / 2) -> FloatArray:
    """Return the ends of the interval of Clopper and Pearson (1934) for shares, shape (2, …).

    `tail` is the error on each side. Successes and trials may be fractions: then the ends are those of the Beta
    distributions with these parameters. Without a trial the interval is 0 to 1.
    """
    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    # A success short of all by less than rounding is all: the second parameter of Beta must be above 0.
    few, all_of_them = x <= 1e-9, n - x <= 1e-9
    with np.errstate(invalid="ignore"):
        low = np.where(few, 0.0, betaincinv(np.maximum(x, 1e-9), np.maximum(n - x, 0) + 1, tail))
        high = np.where(all_of_them, 1.0, betaincinv(x + 1, np.maximum(n - x, 1e-9), 1 - tail))
    return np.stack([low, high])


@dataclass(frozen=True)
class Clustered:
    """Successes among trials in clusters: the sums over clusters from which an interval follows.

    Every field may be an array, for several shares at once. n and y are the trials and successes of one cluster.
    """

    successes: FloatArray
    """Sum of y."""
    trials: FloatArray
    """Sum of n."""
    yy: FloatArray
    """Sum of y²."""
    yn: FloatArray
    """Sum of y n."""
    nn: FloatArray
    """Sum of n²."""
    clusters: FloatArray
    """Clusters with a trial."""

    @classmethod
    def of(cls, success: ArrayLike, clusters: Sequence[int] | NDArray[np.int64]) -> "Clustered":
        """Count trials, shape (n,): `success` is 1 or 0, `clusters` their clusters."""
        _, number = np.unique(np.asarray(clusters), return_inverse=True)
        n = np.bincount(number).astype(float)
        y = np.bincount(number, np.asarray(success, float))
        sums = (y.sum(), n.sum(), (y * y).sum(), (y * n).sum(), (n * n).sum(), float(len(n)))
        return cls(*(np.asarray(value, float) for value in sums))

    @property
    def effective_clusters(self) -> FloatArray:
        """Clusters of equal size that would be worth as much: (sum n)² / sum n² (Kish, "Survey Sampling", 1965)."""
        return np.divide(self.trials**2, self.nn, out=np.zeros_like(np.asarray(self.trials, float)), where=self.nn > 0)

    @property
    def effective_trials(self) -> FloatArray:
        """Independent trials that these are worth.

        The trials divided by the design effect of the share, as a ratio estimate, and by the price of estimating it
        from few clusters: Korn and Graubard, "Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data", Survey Methodology 24, 1998. Never more than the trials. If all
        trials have one outcome, the design effect is unknown and trials of a cluster count as one: the effective
        clusters.
        """
        y, n, m = (np.asarray(value, float) for value in (self.successes, self.trials, self.clusters))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = y / n
            spread = m / (m - 1) * (self.yy - 2 * share * self.yn + share**2 * self.nn) / n**2
            worth = np.minimum(share * (1 - share) / spread, n)
            deflated = np.minimum(worth * price_of(m) / price_of(n), n)
        known = (m > 1) & (y > 0) & (y < n) & np.isfinite(deflated)
        found = np.where(known, deflated, self.effective_clusters)
        # Exactly the trials if each is a cluster: no design effect has to be estimated.
        return np.where(self.nn == n, n, found)

    def interval(self, tail: float = (1 - CONFIDENCE) / 2) -> FloatArray:
        """Return the ends of the exact interval of the share on the effective trials, shape (2, …)."""
        worth = self.effective_trials
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self.trials > 0, self.successes / self.trials, 0.0)
        return clopper_pearson(share * worth, worth, tail)


def price_of(clusters: ArrayLike) -> FloatArray:
    """Return the factor by which a variance estimated from so many clusters lessens what they are worth, at most 1.

    (z / t)², with the quantiles of the normal distribution and of Student's, as Korn and Graubard (1998) use it.
    """
    upper = 1 - (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):
        return (ndtri(upper) / stdtrit(np.maximum(np.asarray(clusters, float) - 1, 0.5), upper)) ** 2


def effective_clusters(clusters: Sequence[int] | NDArray[np.int64], weight: FloatArray | None = None) -> float:
    """Return the effective clusters of n documents from their clusters, shape (n,); 0 without a document.

    `weight`: how much each document counts, shape (n,); by default all count the same.
    """
    _, number = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(number, weight).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def chance_of(successes: ArrayLike, trials: ArrayLike, share: float) -> FloatArray:
    """Return P(at least so many successes | trials, share): the p-value against a share of at most `share`.

    The binomial tail as an incomplete Beta function, which is defined for fractions of trials too.
    """
    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    return np.where(x <= 0, 1.0, betainc(np.maximum(x, 1e-9), np.maximum(n - x, 0) + 1, share))


def rounded_up(share: float | Fraction, count: int) -> int:
    """Return the smallest whole number that is at least `share` of `count`, with the share as people write it.

    0.55 of 100 is 55. In floats 0.55 * 100 is 55.00000000000001, whose ceiling is 56.
    """
    exact = share if isinstance(share, Fraction) else Fraction(repr(float(share)))
    return math.ceil(exact * count)


def least_trials(share: float) -> int:
    """Return the fewest independent trials that can show a share of at least `share`: without a failure."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(share))


def trials_needed(share: float, true: float, power: float = 0.8, most: int = 10_000_000) -> int | None:
    """Return the independent trials of which a true share shows that it is at least `share`, with this power.

    Normal approximation of the binomial distribution of the successes, exact bound for what they show. None if `true`
    is not above `share`, or if `most` trials would not do.
    """
    if true <= share:
        return None

    def shown(n: int) -> bool:
        # The successes that all but 1 - power of the samples exceed.
        reached = n * true - float(ndtri(power)) * math.sqrt(n * true * (1 - true))
        return bool(chance_of(reached, n, share) <= 1 - CONFIDENCE)

    high = 1
    while not shown(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
