"""What a raw score means: the expected label, the probability of being kept, a grade. Fitted on held-out documents."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from assay.errors import InputError
from assay.model.thresholds import AS_LABELLED, KeepTarget, ThresholdCurve, cut_for

FloatArray = NDArray[np.float64]

LEAST_DOCUMENTS = 20
"""Below it, maps and cut points would be those of the few documents, not of the score."""
MOST_LEVELS = 20
"""Labels of more different values than this are binned to whole grades, each bin standing for its mean label."""
RIDGE = 1e-3
"""Penalty on the squared slope in standard units: keeps it finite where the score separates the labels perfectly."""


@dataclass(frozen=True)
class CalibratedScores:
    """Meaning of n scores; every array has shape (n,) and never falls where the score rises."""

    calibrated: FloatArray
    """Expected label."""
    p_keep: FloatArray
    """Probability that the label reaches the threshold."""
    grade: NDArray[np.int64]
    keep: NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """Three outputs for three uses, all functions of one score.

    `calibrated` and `p_keep` come from an ordinal logistic model with one slope and a cut for every level,
    P(label >= level_j | score) = sigmoid(slope * score - offset_j), fitted by the all-threshold loss (Rennie and
    Srebro, "Loss functions for preference levels", 2005): its estimates of how many labels reach each level are
    exact on the documents it was fitted on. `grade` and `keep` come from cut points on the score by
    equipercentile linking (Kolen and Brennan, "Test Equating", 2014): as many documents reach a grade as have
    labels that reach it when rounded, halves up, where rounding an expectation would hardly ever give the rare ends of
    the scale; as many are kept as have labels that reach the threshold as they are.
    """

    low: int
    high: int
    threshold: float
    levels: tuple[float, ...]
    """Distinct labels in rising order; where they are binned, the mean label of each bin."""
    slope: float
    """At least 0."""
    offsets: tuple[float, ...]
    """One for each level but the lowest, in rising order."""
    keep_offset: float
    """The same for the threshold."""
    grade_cuts: tuple[float | None, ...]
    """Lowest score of each grade above `low`; None for a grade that no document reaches."""
    keep_cut: float | None
    """Lowest score that is kept; None where nothing is."""
    documents: int
    """How many it was fitted on."""
    target: str = "labels"
    """What `keep_cut` was chosen for, as KeepTarget spells it."""
    curve: ThresholdCurve | None = None
    """Precision and recall at every cut, for whoever wants another; None in models of earlier releases."""

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
    ) -> "Calibration":
        """Fit to scores and labels of shape (n,) of documents that no training has seen.

        Equal scores cannot be told apart: where all are equal, all are kept if at least half of the labels reach
        the threshold. Raises InputError for fewer than 20 documents, scores that are not finite, labels all on one
        side of the threshold, or a target that these documents cannot promise.
        """
        score, label = np.asarray(scores, float), np.asarray(labels, float)
        where = f"calibration part of {len(label)} documents"
        if len(label) < LEAST_DOCUMENTS or len(score) != len(label):
            raise InputError("too few documents to calibrate", where=where, fix=f"Give at least {LEAST_DOCUMENTS}")
        if not np.isfinite(score).all():
            raise InputError("the model gives scores that are no numbers", where=where, fix="Train it anew")
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
            # The lower edge of a bin would put every expected label half a grade too low.
            levels = np.bincount(bin_of, label) / np.bincount(bin_of)
        above = np.stack([bin_of >= level for level in range(1, len(levels))] + [reaches]).astype(float)
        slope, offsets = _fit_ordinal(score, above)
        curve = ThresholdCurve.of(score, reaches)
        return cls(
            low=low,
            high=high,
            threshold=threshold,
            levels=tuple(levels.tolist()),
            slope=slope,
            offsets=tuple(offsets[:-1].tolist()),
            keep_offset=float(offsets[-1]),
            grade_cuts=tuple(cut_for(score, int((label >= grade - 0.5).sum())) for grade in range(low + 1, high + 1)),
            keep_cut=_keep_cut(score, curve, keep),
            documents=len(label),
            target=str(keep),
            curve=curve,
        )

    def apply(self, scores: Sequence[float] | FloatArray) -> CalibratedScores:
        """Meaning of scores of shape (n,)."""
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
        """Plain JSON values."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**plain, "curve": self.curve.to_json() if self.curve else None}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Calibration":
        """The inverse of `to_json`; raises TypeError for other fields, and for what is no number."""
        kwargs: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        curve, target = kwargs.pop("curve", None), kwargs.pop("target", "labels")
        for name, value in [*kwargs.items(), *(curve or {}).items()]:
            cells = value if isinstance(value, tuple | list) else (value,)
            if not all(cell is None or (isinstance(cell, int | float) and cell is not True) for cell in cells):
                raise TypeError(f"{name} of the calibration holds {value!r}, not numbers")
        return cls(**kwargs, target=str(target), curve=ThresholdCurve.from_json(curve) if curve else None)


def _keep_cut(score: FloatArray, curve: ThresholdCurve, keep: KeepTarget) -> float | None:
    """By the documents themselves where they are counted only; the curve has not all of them."""
    if keep.aim == "labels":
        return cut_for(score, curve.positive)
    if keep.aim == "share":
        return cut_for(score, round((keep.value or 0) * curve.documents))
    return curve.choose(keep).score


def _fit_ordinal(score: FloatArray, above: FloatArray) -> tuple[float, FloatArray]:
    """Slope and offsets that minimise the mean logistic loss of `above` (levels, documents); convex."""
    center, spread = float(score.mean()), float(score.std())
    share = above.mean(axis=1)
    prior = np.log(share) - np.log1p(-share)
    if spread < 1e-9 * max(1.0, abs(center)):
        return 0.0, -prior
    z = (score - center) / spread

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        slope, offsets = parameters[0], parameters[1:]
        logit = slope * z[None, :] - offsets[:, None]
        value = np.logaddexp(0, logit) - above * logit
        residual = expit(logit) - above
        n = z.size
        gradient = np.concatenate([[(residual @ z).sum() / n + 2 * RIDGE * slope], -residual.sum(axis=1) / n])
        return float(value.sum() / n + RIDGE * slope**2), gradient

    start = np.concatenate([[1.0], -prior])
    bounds = [(0.0, None), *[(None, None)] * len(prior)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
    ).x
    slope = found[0] / spread
    return float(slope), found[1:] + slope * center
