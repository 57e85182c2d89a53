"""Check if p_keep is a probability: slope, intercept, observed over expected, and skill, each with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student

from assay.metrics.bootstrap import Interval
from assay.metrics.metrics import Outcomes
from assay.proportions import CONFIDENCE, Clustered
from assay.storage import only_known_fields

FloatArray = NDArray[np.float64]
NEAREST = 1e-6
"""Nearest that p_keep may be to 0 and 1 for its logit."""
ROUNDS = 50
"""Newton steps at most. A fit that needs more is one of separated labels, which has no finite slope."""
STEEPEST = 30.0
"""Slope, in standard deviations of the logit, above which the labels count as separated."""


@only_known_fields
@dataclass(frozen=True)
class Probabilities:
    """How far p_keep is the share of documents whose label reaches the threshold.

    Population: documents like these, with as many positive ones among them; at another share of positive documents the
    same p_keep is not one. Intervals are 95 %, over clusters. The figures are those of Steyerberg, "Clinical Prediction
    Models", 2019, chapter 15: an average error of .1 says nothing where 5 % of the documents are positive.
    """

    slope: Interval
    """Slope of the labels' log odds on those of p_keep (Cox 1958): 1 is right, below it p_keep is too extreme.
    Undefined if p_keep or the labels do not vary, or if p_keep separates the labels."""
    intercept: Interval
    """Calibration in the large: what must be added to the log odds of p_keep; 0 is right."""
    ratio: Interval
    """Positive documents observed, divided by the sum of p_keep: 1 is right."""
    skill: Interval
    """Brier skill: 1 - Brier score / that of the constant share of positive documents. 0 is no use, 1 is perfect."""
    varies: bool
    """True if p_keep tells documents apart at all."""

    @classmethod
    def of(cls, outcomes: Outcomes, clusters: NDArray[np.int64]) -> "Probabilities":
        """Measure n outcomes; `clusters` of shape (n,)."""
        p = np.clip(outcomes.p_keep.astype(float), NEAREST, 1 - NEAREST)
        y = outcomes.positive.astype(float)
        _, cluster = np.unique(clusters, return_inverse=True)
        odds, n = logit(p), len(y)
        varies = bool(np.ptp(odds) > 1e-6)
        share = float(y.mean())
        ends = Clustered.of(y, cluster).interval() / p.mean()
        none = Interval(None, None, None, n)
        return cls(
            slope=_slope(odds, y, cluster) if varies and 0 < share < 1 else none,
            intercept=_intercept(odds, y, cluster) if 0 < share < 1 else none,
            ratio=Interval(share / float(p.mean()), float(ends[0]), float(ends[1]), n),
            skill=_skill(outcomes.p_keep, y, cluster) if 0 < share < 1 else none,
            varies=varies,
        )

    @property
    def odds(self) -> Interval:
        """Odds of the labels divided by those of p_keep: exp of the intercept."""
        value, low, high = (
            None if end is None else float(np.exp(end))
            for end in (self.intercept.value, self.intercept.low, self.intercept.high)
        )
        return Interval(value, low, high, self.intercept.n)

    def in_words(self) -> str:
        """Return the figures as one phrase."""
        return (
            f"slope {self.slope.in_words()}, intercept {self.intercept.in_words()}, observed over expected "
            f"{self.ratio.in_words()}, Brier skill {self.skill.in_words()}"
        )


def _slope(odds: FloatArray, y: FloatArray, cluster: NDArray[np.int64]) -> Interval:
    center, spread = odds.mean(), odds.std()
    design = np.stack([np.ones(len(y)), (odds - center) / spread], axis=1)
    fitted = _logistic(design, np.zeros(len(y)), y)
    if fitted is None:
        return Interval(None, None, None, len(y))
    return _interval(fitted[1] / spread, _error(design, fitted, np.zeros(len(y)), y, cluster)[1] / spread, cluster)


def _intercept(odds: FloatArray, y: FloatArray, cluster: NDArray[np.int64]) -> Interval:
    design = np.ones((len(y), 1))
    fitted = _logistic(design, odds, y)
    if fitted is None:
        return Interval(None, None, None, len(y))
    return _interval(fitted[0], _error(design, fitted, odds, y, cluster)[0], cluster)


def _skill(p: FloatArray, y: FloatArray, cluster: NDArray[np.int64]) -> Interval:
    share = y.mean()
    constant = share * (1 - share)
    gain = (share - y) ** 2 - (p - y) ** 2
    by_cluster = np.bincount(cluster, gain - gain.mean())
    m = len(by_cluster)
    error = np.sqrt(m / max(m - 1, 1) * (by_cluster**2).sum()) / len(y)
    return _interval(gain.mean() / constant, error / constant, cluster)


def _logistic(design: FloatArray, offset: FloatArray, y: FloatArray) -> FloatArray | None:
    """Return the coefficients of a logistic regression, or None if it has no finite solution."""
    found = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        mean = expit(design @ found + offset)
        information = (design * (mean * (1 - mean))[:, None]).T @ design
        try:
            step = np.linalg.solve(information, design.T @ (y - mean))
        except np.linalg.LinAlgError:
            return None
        # Shortened: a full step from far away may overshoot for ever.
        step *= min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-300))
        found = found + step
        if np.abs(found).max() > STEEPEST:
            return None
        if np.abs(step).max() < 1e-9:
            return found
    return None


def _error(
    design: FloatArray, fitted: FloatArray, offset: FloatArray, y: FloatArray, cluster: NDArray[np.int64]
) -> FloatArray:
    """Return the standard errors: the larger of those of the model and those over clusters (Liang and Zeger 1986)."""
    mean = expit(design @ fitted + offset)
    inverse = np.linalg.inv((design * (mean * (1 - mean))[:, None]).T @ design)
    scores = design * (y - mean)[:, None]
    summed = np.stack([np.bincount(cluster, column) for column in scores.T], axis=1)
    m = len(summed)
    robust = inverse @ (m / max(m - 1, 1) * summed.T @ summed) @ inverse
    return np.sqrt(np.maximum(np.diag(inverse), np.diag(robust)))


def _interval(value: float, error: float, cluster: NDArray[np.int64]) -> Interval:
    reach = float(student.ppf((1 + CONFIDENCE) / 2, max(int(cluster.max()), 1))) * error
    return Interval(float(value), float(value - reach), float(value + reach), len(cluster))
