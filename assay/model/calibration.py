"""Calibration: map a raw score to the expected label, the probability of being kept, and a grade."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from assay.errors import InputError
from assay.model.cut import cut_for
from assay.model.keep_target import AS_LABELLED, KeepTarget
from assay.model.thresholds import ThresholdCurve
from assay.storage import only_known_fields

FloatArray = NDArray[np.float64]

LEAST_DOCUMENTS = 20
"""Least documents of a calibration set. With fewer, maps and cut points describe the documents, not the score."""
MOST_LEVELS = 20
"""Most distinct labels that are levels of their own. More are binned to whole grades; a bin has its mean label."""
RIDGE = 1e-3
"""Penalty on the squared slope in standard units. It keeps the slope finite if the score separates the labels."""


@dataclass(frozen=True)
class CalibratedScores:
    """Calibrated outputs of n scores. Every array has shape (n,) and is non-decreasing in the score."""

    calibrated: FloatArray
    """Expected label."""
    p_keep: FloatArray
    """Probability that the label reaches the threshold, where as many do as among the calibration documents."""
    grade: NDArray[np.int64]
    """Whole number on the scale of the rubric."""
    keep: NDArray[np.bool_]
    """True if the score reaches `keep_cut`."""


@only_known_fields
@dataclass(frozen=True)
class Calibration:
    """Three outputs for three uses, all functions of one score.

    `calibrated` and `p_keep` come from an ordinal logistic model with one slope and a cut for every level,
    P(label >= level_j | score) = sigmoid(slope * score - offset_j), fitted by the all-threshold loss (Rennie and
    Srebro, "Loss functions for preference levels", 2005). Its estimated share of labels at or above each level is
    exact on the calibration set. `grade` and `keep` come from cut points on the score by equipercentile linking
    (Kolen and Brennan, "Test Equating", 2014): the share of documents that reach a grade equals the share of labels
    that reach it after rounding, halves up. The share of kept documents equals the share of labels at or above the
    threshold, unless `keep` names another target.
    """

    low: int
    """Lowest grade of the rubric."""
    high: int
    """Highest grade of the rubric."""
    threshold: float
    """Label from which a document is kept."""
    levels: tuple[float, ...]
    """Distinct labels in rising order. If they are binned: the mean label of each bin."""
    slope: float
    """Slope of the ordinal model, at least 0."""
    offsets: tuple[float, ...]
    """Offset of each level but the lowest, in rising order."""
    keep_offset: float
    """Offset of the threshold."""
    grade_cuts: tuple[float | None, ...]
    """Lowest score of each grade above `low`. None for a grade that no document reaches."""
    keep_cut: float | None
    """Lowest score that is kept. None if nothing is kept."""
    documents: int
    """Size of the calibration set."""
    target: str = "labels"
    """Target that `keep_cut` was chosen for, as KeepTarget spells it."""
    curve: ThresholdCurve | None = None
    """Precision and recall at every cut, from which another cut can be chosen. None in models of earlier releases."""

    @classmethod
    def fit(
        cls,
        scores: Sequence[float] | FloatArray,
        labels: Sequence[float] | FloatArray,
        *,
        low: int,
        high: int,
        threshold: float,
        keep: KeepTarget = AS_LABELLED,
        clusters: Sequence[int] | NDArray[np.int64] | None = None,
        cross_fitted: bool = False,
    ) -> "Calibration":
        """Fit to scores and labels of shape (n,) of documents that the model was not trained on.

        `clusters`, of shape (n,): cluster of each document, which decides what they can promise; by default each is its
        own. `cross_fitted`: True if other models gave the scores, which promise nothing about the one that is used.

        If all scores are equal, either all documents are kept or none: all, if at least half of the labels reach the
        threshold. Raise InputError for fewer than 20 documents, for scores that are not finite, for labels that are
        all on one side of the threshold, or for a target that these documents cannot promise.
        """
        score, label = np.asarray(scores, float), np.asarray(labels, float)
        where = f"calibration part of {len(label)} documents"
        if len(label) < LEAST_DOCUMENTS or len(score) != len(label):
            raise InputError("too few documents to calibrate", where=where, fix=f"Give at least {LEAST_DOCUMENTS}")
        if not np.isfinite(score).all():
            raise InputError("the model gives scores that are not finite", where=where, fix="Train it again")
        reaches = label >= threshold
        if reaches.all() or not reaches.any():
            raise InputError(
                f"{'all' if reaches.all() else 'no'} labels reach the threshold {threshold:g}",
                where=where,
                fix="Choose another threshold, or label more documents",
            )
        levels, bin_of = np.unique(label, return_inverse=True)
        if len(levels) > MOST_LEVELS:
            _, bin_of = np.unique(np.clip(np.floor(label), low, high), return_inverse=True)
            # The mean of a bin, not its lower edge: the edge would put every expected label half a grade too low.
            levels = np.bincount(bin_of, label) / np.bincount(bin_of)
        above = np.stack([bin_of >= level for level in range(1, len(levels))] + [reaches]).astype(float)
        slope, offsets = _fit_ordinal(score, above)
        curve = ThresholdCurve.of(score, reaches, clusters, cross_fitted=cross_fitted)
        return cls(
            low=low,
            high=high,
            threshold=threshold,
            levels=tuple(levels.tolist()),
            slope=slope,
            offsets=tuple(offsets[:-1].tolist()),
            keep_offset=float(offsets[-1]),
            # Not the rounded expectation: that would almost never give the rare grades at the ends of the scale.
            grade_cuts=tuple(cut_for(score, int((label >= grade - 0.5).sum())) for grade in range(low + 1, high + 1)),
            keep_cut=_keep_cut(score, curve, keep),
            documents=len(label),
            target=str(keep),
            curve=curve,
        )

    def apply(self, scores: Sequence[float] | FloatArray) -> CalibratedScores:
        """Return the calibrated outputs of scores of shape (n,)."""
        score = np.asarray(scores, float)
        p_above = expit(self.slope * score[:, None] - np.asarray(self.offsets)[None, :])
        steps = np.diff(self.levels)
        cuts = np.array([math.inf if cut is None else cut for cut in self.grade_cuts])
        return CalibratedScores(
            calibrated=self.levels[0] + p_above @ steps,
            p_keep=expit(self.slope * score - self.keep_offset),
            grade=self.low + (score[:, None] >= cuts[None, :]).sum(axis=1),
            keep=score >= (math.inf if self.keep_cut is None else self.keep_cut),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. `parse_record(Calibration, …)` is the inverse."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**plain, "curve": self.curve.to_json() if self.curve else None}


def _keep_cut(score: FloatArray, curve: ThresholdCurve, keep: KeepTarget) -> float | None:
    """Return the lowest score that is kept for a target. None if nothing is kept."""
    # `labels` and `share` count the documents themselves: the curve has at most 400 of their scores.
    if keep.aim == "labels":
        return cut_for(score, curve.positive)
    if keep.aim == "share":
        return cut_for(score, round((keep.value or 0) * curve.documents))
    return curve.choose(keep).score


def _fit_ordinal(score: FloatArray, above: FloatArray) -> tuple[float, FloatArray]:
    """Return the slope and offsets that minimise the mean logistic loss of `above`, shape (levels, documents).

    The problem is convex.
    """
    center, spread = float(score.mean()), float(score.std())
    share = above.mean(axis=1)
    prior = np.log(share) - np.log1p(-share)
    if spread < 1e-9 * max(1.0, abs(center)):
        return 0.0, -prior  # equal scores cannot be standardised: the shares of the labels are all that is known
    z = (score - center) / spread  # so that the penalty does not depend on the scale of the score

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        slope, offsets = parameters[0], parameters[1:]
        logit = slope * z[None, :] - offsets[:, None]
        value = np.logaddexp(0, logit) - above * logit
        residual = expit(logit) - above
        n = z.size
        gradient = np.concatenate([[(residual @ z).sum() / n + 2 * RIDGE * slope], -residual.sum(axis=1) / n])
        return float(value.sum() / n + RIDGE * slope**2), gradient

    start = np.concatenate([[1.0], -prior])
    # A negative slope would reverse the order of the documents: a useless score gets slope 0 instead.
    bounds = [(0.0, None), *[(None, None)] * len(prior)]
    # Tight tolerances, because the estimated shares of the labels are exact at the minimum only.
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
    ).x
    slope = found[0] / spread
    return float(slope), found[1:] + slope * center
