"""The graded response model of n documents and j judges, fitted by maximum penalised marginal likelihood.

A document has a quality t, distributed N(0, 1). An answer of judge j reaches grade k with probability
1 / (1 + exp(c_jk - a_j t - d_j u)) (Samejima, "Estimation of latent ability using a response pattern of graded scores",
1969). a is the judge's slope: 0 for answers at random. The thresholds c are its level and its use of the scale. u is
N(0, 1), one a document and judge: what the judge gets wrong about the document each time. The marginal likelihood sums
over t and u on fixed points (Bock and Aitkin, "Marginal maximum likelihood estimation of item parameters", 1981).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

FloatArray = NDArray[np.float64]
POINTS = np.linspace(-4.5, 4.5, 61)
"""Points of the quality at which the likelihood is summed."""
MASS = np.exp(-(POINTS**2) / 2) / np.exp(-(POINTS**2) / 2).sum()
OWN_POINTS, _own = np.polynomial.hermite_e.hermegauss(9)
OWN_MASS = _own / _own.sum()
"""Points of u and their masses."""
NOISE = np.pi**2 / 3
"""Variance of the logistic distribution, the noise of an answer."""
SLOPE, SLOPE_SPREAD = float(np.log(2.8)), 0.75
"""Prior of log a, normal. Its centre is an answer of reliability .70, and a standard deviation .34 to .91. Chosen."""
OWN_SPREAD = 1.0
"""Prior of d, half normal."""
PSEUDO = 2.0
"""Answers added to those of each judge, spread over the grades as the answers of all judges are: a judge with few
answers is like the others, and no threshold is infinite."""
TINY = 1e-12


@dataclass(frozen=True)
class Judged:
    """Parameters of one judge, and its answers at the points of the quality."""

    slope: float
    own: float
    """d; 0 if it cannot be told from the quality."""
    chance: FloatArray
    """Probability of each grade at each point, shape (grades, points)."""
    information: float
    """Mean Fisher information about the quality in one answer."""

    @property
    def reliability(self) -> float:
        """Share of the variance behind an answer that is the quality: a² / (a² + d² + pi² / 3)."""
        return self.slope**2 / (self.slope**2 + self.own**2 + NOISE)


@dataclass(frozen=True)
class Graded:
    """A fitted model."""

    judges: list[Judged]
    posterior: FloatArray
    """Probability of each point of the quality, given the answers of each pattern, shape (patterns, points)."""


def fit_graded(counts: NDArray[np.int64], times: NDArray[np.int64], own: NDArray[np.bool_]) -> Graded:
    """Fit the model. `counts`: answers by pattern, judge and grade, shape (p, j, k); each pattern occurs `times` times.

    `own`: True for judges whose d is fitted, shape (j,). The result does not depend on chance.
    """
    _, judges, grades = counts.shape
    total = np.einsum("pjk,p->jk", counts, times).astype(float)
    pooled = (total.sum(axis=0) + 1 / grades) / (total.sum() + 1)
    patterns = [np.unique(counts[:, judge], axis=0, return_inverse=True) for judge in range(judges)]
    start = np.concatenate([_start(total[judge] + PSEUDO * pooled, own[judge]) for judge in range(judges)])
    size = grades + 1

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        fits = [_Judge.of(flat[j * size : (j + 1) * size]) for j in range(judges)]
        each = [fit.likelihood(rows.astype(float)) for fit, (rows, _) in zip(fits, patterns, strict=True)]
        log, weight = _posterior(each, [place for _, place in patterns])
        value, gradient = float(times @ log), []
        for fit, (rows, place), likelihood in zip(fits, patterns, each, strict=True):
            expected = np.zeros((len(rows), len(POINTS)))
            np.add.at(expected, place.ravel(), weight * times[:, None])
            prior, slopes = fit.gradient(rows.astype(float), expected, likelihood, pooled)
            value += prior
            gradient.append(slopes)
        return -value, -np.concatenate(gradient)

    bounds = []
    for judge in range(judges):
        bounds += [(-5.0, 4.0), (0.0, 8.0) if own[judge] else (0.0, 0.0), (-60.0, 60.0)] + [(-6.0, 5.0)] * (grades - 2)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-11})
    fits = [_Judge.of(found.x[j * size : (j + 1) * size]) for j in range(judges)]
    each = [fit.likelihood(rows.astype(float)) for fit, (rows, _) in zip(fits, patterns, strict=True)]
    _, weight = _posterior(each, [place for _, place in patterns])
    return Graded([fit.judged() for fit in fits], weight)


def _start(total: FloatArray, own: np.bool_) -> FloatArray:
    """Return parameters whose thresholds give the shares of the answers `total`, shape (grades,)."""
    below = np.cumsum(total)[:-1] / total.sum()
    # The logistic distribution is close to a normal one of its variance.
    spread = np.sqrt(1 + np.exp(2 * SLOPE) / NOISE)
    cuts = spread * np.log(below / (1 - below))
    gaps = np.log(np.maximum(np.diff(cuts), 0.01))
    return np.concatenate([[SLOPE, 0.5 if own else 0.0, cuts[0]], gaps])


def _posterior(each: list[FloatArray], places: list[NDArray[np.int64]]) -> tuple[FloatArray, FloatArray]:
    """Return the log marginal likelihood of each pattern, and its posterior over the points."""
    together = np.log(MASS) + sum(likelihood[place.ravel()] for likelihood, place in zip(each, places, strict=True))
    top = together.max(axis=1, keepdims=True)
    weight = np.exp(together - top)
    sums = weight.sum(axis=1, keepdims=True)
    return (top + np.log(sums))[:, 0], weight / sums


@dataclass(frozen=True)
class _Judge:
    """Parameters of a judge, and the probabilities of its grades at every pair of points of t and u."""

    log_slope: float
    own: float
    gaps: FloatArray
    """Differences of neighbouring thresholds."""
    reach: FloatArray
    """Probability to reach each grade but the lowest, shape (grades - 1, points, points of u)."""
    grade: FloatArray
    """Probability of each grade, shape (grades, points, points of u)."""

    @classmethod
    def of(cls, flat: FloatArray) -> "_Judge":
        gaps = np.exp(flat[3:])
        cuts = flat[2] + np.concatenate([[0.0], np.cumsum(gaps)])
        own_points = OWN_POINTS if flat[1] > 0 else np.zeros(1)
        place = np.exp(flat[0]) * POINTS[:, None] + flat[1] * own_points
        reach = expit(place - cuts[:, None, None])
        ends = np.concatenate([np.ones_like(reach[:1]), reach, np.zeros_like(reach[:1])])
        return cls(float(flat[0]), float(flat[1]), gaps, reach, np.maximum(ends[:-1] - ends[1:], TINY))

    @property
    def mass(self) -> FloatArray:
        return OWN_MASS if self.grade.shape[2] > 1 else np.ones(1)

    def _joint(self, rows: FloatArray) -> FloatArray:
        """Return log P(answers, u | t) of the judge's patterns, shape (q, points, points of u)."""
        return np.tensordot(rows, np.log(self.grade), 1) + np.log(self.mass)

    def likelihood(self, rows: FloatArray) -> FloatArray:
        """Return log P(answers | t) of the judge's patterns, shape (q, points)."""
        joint = self._joint(rows)
        top = joint.max(axis=2)
        return top + np.log(np.exp(joint - top[:, :, None]).sum(axis=2))

    def gradient(
        self, rows: FloatArray, expected: FloatArray, likelihood: FloatArray, pooled: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the log prior, and the gradient of likelihood and prior by the judge's parameters.

        `expected`: expected number of documents of each pattern at each point. The gradient of the marginal likelihood
        is that of the complete one at these numbers (Fisher's identity).
        """
        share = np.exp(self._joint(rows) - likelihood[:, :, None]) * expected[:, :, None]
        answers = np.tensordot(rows.T, share, 1)  # expected answers of each grade at each pair of points
        both = MASS[:, None] * self.mass
        overall = (self.grade * both).sum(axis=(1, 2))
        per = answers / self.grade + (PSEUDO * pooled / overall)[:, None, None] * both
        # Of P(grade k) = reach k - reach k+1: each `reach` is in the grade above it and in the one below.
        steep = self.reach * (1 - self.reach) * (per[1:] - per[:-1])
        by_place = steep.sum(axis=0)
        by_cut = -steep.sum(axis=(1, 2))
        own_points = OWN_POINTS if self.grade.shape[2] > 1 else np.zeros(1)
        offset = (self.log_slope - SLOPE) / SLOPE_SPREAD
        slopes = np.concatenate(
            [
                [np.exp(self.log_slope) * (by_place * POINTS[:, None]).sum() - offset / SLOPE_SPREAD],
                [(by_place * own_points).sum() - self.own / OWN_SPREAD**2],
                [by_cut.sum()],
                # A gap moves all thresholds above it.
                self.gaps * (by_cut[::-1].cumsum()[::-1][1:]),
            ]
        )
        prior = PSEUDO * float(pooled @ np.log(overall)) - offset**2 / 2 - self.own**2 / OWN_SPREAD**2 / 2
        return prior, slopes

    def judged(self) -> Judged:
        chance = self.grade @ self.mass
        change = np.gradient(chance, POINTS, axis=1)
        information = float((MASS * (change**2 / chance).sum(axis=0)).sum())
        return Judged(float(np.exp(self.log_slope)), self.own, chance, information)
