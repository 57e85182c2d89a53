"""Precision and recall at every cut between kept and dropped, and the cut for a target."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.model.curve_worth import clustered_worth
from assay.model.cut import EVERYTHING, Cut
from assay.model.keep_target import KeepTarget, require_own_scores
from assay.proportions import (
    CONFIDENCE,
    chance_of,
    clopper_pearson,
    least_trials,
    price_of,
    rounded_up,
    trials_needed,
)
from assay.storage import only_known_fields

FloatArray: TypeAlias = NDArray[np.float64]

MOST_POINTS = 400
"""Most points of a curve. Half are evenly spaced in documents, half in their logarithm: the kept class may be rare."""
TRIALS = 40
"""Most cuts at which a promised precision is tried, evenly spaced in the logarithm of the documents kept."""


@only_known_fields
@dataclass(frozen=True)
class ThresholdCurve:
    """Counts of kept and correctly kept documents at falling cuts; at most 400 points.

    Assumptions: the clusters of the n documents are an independent sample of the population, and the model was not
    trained on them. Without the counts of clusters, as in models of earlier releases, each document is a cluster.
    """

    documents: int
    """Number of documents n."""
    positive: int
    """Documents whose label reaches the threshold: at least one, but not all."""
    cuts: tuple[float, ...]
    """Falling cuts, halfway between neighbouring scores, so that rounding on another machine changes no decision."""
    kept: tuple[int, ...]
    """Documents kept at each cut."""
    right: tuple[int, ...]
    """Kept documents whose label reaches the threshold, at each cut."""
    kept_worth: tuple[float, ...] = ()
    """Independent documents that the kept ones are worth for the precision, at each cut. Empty without clusters."""
    kept_clusters: tuple[float, ...] = ()
    """Effective clusters of the kept documents, at each cut. Empty without clusters."""
    positive_worth: tuple[float, ...] = ()
    """Independent documents that the positive ones are worth for the recall, at each cut. Empty without clusters."""
    positive_clusters: float | None = None
    """Effective clusters of the positive documents. None without clusters."""
    cross_fitted: bool = False
    """True if other models than the one that is used scored the documents: models that left them out, or the one that
    was measured before this one was fitted to all labels. Then no target is promised."""

    @classmethod
    def of(
        cls,
        scores: FloatArray,
        reaches: NDArray[np.bool_],
        clusters: Sequence[int] | NDArray[np.int64] | None = None,
        *,
        cross_fitted: bool = False,
    ) -> "ThresholdCurve":
        """Return the curve of `scores`; `reaches`: True for labels at or above the threshold; both of shape (n,).

        Equal scores are one point. `clusters`, of shape (n,): cluster of each document; by default each is its own.
        """
        order = np.argsort(-scores, kind="stable")
        ordered, found = scores[order], np.cumsum(reaches[order])
        ends = np.flatnonzero(np.diff(ordered, append=-np.inf))
        if len(ends) > MOST_POINTS:
            even = np.linspace(0, len(ends) - 1, MOST_POINTS // 2)
            rare = np.geomspace(1, len(ends), MOST_POINTS // 2) - 1
            ends = ends[np.unique(np.concatenate([even, rare]).round().astype(int))]
        below = np.append(ordered, -np.inf)[ends + 1]
        cuts = np.where(np.isfinite(below), (ordered[ends] + below) / 2, EVERYTHING)
        worth = {} if clusters is None else clustered_worth(np.asarray(clusters)[order], reaches[order], ends)
        return cls(
            documents=len(scores),
            positive=int(reaches.sum()),
            cuts=tuple(cuts.tolist()),
            kept=tuple((ends + 1).tolist()),
            right=tuple(found[ends].tolist()),
            cross_fitted=cross_fitted,
            **worth,
        )

    def choose(self, target: KeepTarget) -> Cut:
        """Return the cut for a target.

        A promised precision or recall is tested at a sequence of cuts that is fixed without the labels, each by a
        binomial test at 5 % on the independent trials that the documents are worth; the last cut before the first
        failure is returned (fixed-sequence testing: Angelopoulos et al., "Learn then Test", 2021). For a precision the
        sequence goes from the strictest cut to the most lenient, for a recall the other way; without clusters the
        latter is exact for order statistics. Raise InputError if the documents cannot promise the target.
        """
        kept, right = np.array(self.kept), np.array(self.right)
        value = target.value or 0.0
        if target.aim == "labels":
            return self.at(self._nearest(self.positive))
        if target.aim == "share":
            return self.at(self._nearest(round(value * self.documents)))
        if target.aim == "f1":
            return self.at(int(np.argmax(2 * right / (kept + self.positive))))
        require_own_scores(target, other_models=self.cross_fitted)
        if target.aim == "recall":
            if target.promised:
                return self.at(self._recalling(value))
            return self.at(int(np.argmax(right >= rounded_up(value, self.positive))))
        precision = right / kept
        passing = self._precise(value) if target.promised else np.flatnonzero(precision >= value)
        if len(passing) == 0:
            raise self._imprecise(target, float(precision.max()))
        return self.at(int(passing[-1]))

    def at(self, number: int | None) -> Cut:
        """Return a point of the curve by its number, strictest first. None: the cut that keeps nothing."""
        if number is None:
            none = clopper_pearson(0, self.positive_clusters or self.positive)
            return Cut(None, 0.0, None, (0.0, 1.0), 0.0, (float(none[0]), float(none[1])))
        precision, recall = self.right[number] / self.kept[number], self.right[number] / self.positive
        kept, positive = (float(worth[number]) for worth in (self._kept_worth, self._positive_worth))
        ends = [clopper_pearson(share * worth, worth) for share, worth in ((precision, kept), (recall, positive))]
        return Cut(
            score=self.cuts[number],
            share=self.kept[number] / self.documents,
            precision=precision,
            precision_interval=(float(ends[0][0]), float(ends[0][1])),
            recall=recall,
            recall_interval=(float(ends[1][0]), float(ends[1][1])),
        )

    @property
    def _kept_worth(self) -> FloatArray:
        return np.array(self.kept_worth or self.kept, float)

    @property
    def _positive_worth(self) -> FloatArray:
        return np.array(self.positive_worth or [self.positive] * len(self.kept), float)

    def _nearest(self, count: int) -> int | None:
        """Return the point that keeps `count` documents, as nearly as ties allow. None if it should keep nothing."""
        distance = np.abs(np.array(self.kept) - count)
        return None if count < distance.min() else int(np.argmin(distance))

    def _recalling(self, recall: float) -> int:
        """Return the strictest point proven to have at least this recall. Raise InputError if there is none."""
        self._require_positives(recall)
        worth, right = self._positive_worth, np.array(self.right)
        passed = chance_of(right / self.positive * worth, worth, recall) <= 1 - CONFIDENCE
        # A cut that loses none of them loses at most what the number of clusters allows, which was just checked.
        passed |= right == self.positive
        # From the most lenient cut on: the sequence ends at its first failure.
        held = np.logical_and.accumulate(passed[::-1])
        return len(held) - int(held.sum())

    def _require_positives(self, recall: float) -> None:
        """Raise InputError if the positive documents are too few to promise a recall, whatever the scores."""
        clusters = self.positive if self.positive_clusters is None else self.positive_clusters
        least = least_trials(recall)
        if clusters >= least:
            return
        alone = self.positive_clusters is None or clusters > self.positive - 0.5
        worth = "" if alone else f", worth {clusters:.0f} independent ones,"
        raise InputError(
            f"{self.positive} documents that reach the threshold{worth} cannot promise a recall of {recall:g}",
            where=self._where(),
            fix=f"Label until {least} {'' if alone else 'independent ones '}reach it, "
            f"{_about(self.documents * least / max(clusters, 1e-9))} labels like these; require less; or give "
            f"recall~{recall:g}, which promises nothing",
        )

    def _precise(self, precision: float) -> NDArray[np.int64]:
        """Return the points proven to have more than `precision`, strictest first, at 5 % for all of them together."""
        tried, worth = self._tried(precision), self._kept_worth
        share = np.array(self.right) / np.array(self.kept)
        passed = chance_of((share * worth)[tried], worth[tried], precision) <= 1 - CONFIDENCE
        # A fixed sequence of tests ends at its first failure: cuts that pass after it prove nothing.
        return tried[np.logical_and.accumulate(passed)]

    def _tried(self, precision: float) -> NDArray[np.int64]:
        """Return the points at which a promised precision is tested, strictest first."""
        # They depend on the numbers of documents and clusters alone. Choosing them by labels would void the test.
        kept = np.array(self.kept_clusters or self.kept, float)
        if self.kept_clusters:
            # A strict cut keeps few clusters, from which the design effect has to be estimated.
            kept = np.maximum.accumulate(kept * price_of(kept))
        most = float(kept[-1])
        first = min(_first_trial(precision), most / 2 if self.kept_clusters else most)
        wanted = np.geomspace(max(first, float(kept[0])), most, TRIALS)
        return np.unique(np.abs(np.log(kept)[None, :] - np.log(wanted)[:, None]).argmin(axis=1))

    def _imprecise(self, target: KeepTarget, best: float) -> InputError:
        """Return the refusal of a precision, with the number of labels that would do."""
        value = target.value or 0.0
        message = f"no cut has a precision of {value:g}"
        if not target.promised:
            return InputError(f"{message}: the best measured is {best:.2f}", where=self._where(), fix="Require less")
        return InputError(
            f"{message} with 95 % confidence: the best measured is {best:.2f}",
            where=self._where(),
            fix=f"{self._labels_for(value)}; require less; or give precision~{value:g}, which promises nothing",
        )

    def _labels_for(self, precision: float) -> str:
        """Return how many labels like these would promise a precision in four of five such samples, in words."""
        tried, needed = self._tried(precision), []
        for number in tried.tolist():
            # Above all measured precisions there is one that is only lucky: a little less is expected of more labels.
            expected = (self.right[number] + 0.5) / (self.kept[number] + 1)
            trials = trials_needed(precision, expected)
            if trials is not None:
                needed.append(self.documents * trials / float(self._kept_worth[number]))
        if not needed:
            return f"No number of labels helps: no cut that can be tested has a precision above {precision:g}"
        labels = max(min(needed), self.documents + 1)
        return f"Label {_about(labels)} documents like these, if their precision is as measured here"

    def _where(self) -> str:
        return f"calibration part of {self.documents} documents, {self.positive} of which reach the threshold"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. `parse_record(ThresholdCurve, …)` is the inverse."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        # Without what is empty: earlier releases refuse unknown fields, and must still read a model without clusters.
        return {key: value for key, value in plain.items() if value not in ([], None, False)}


def _about(count: float) -> str:
    """Return a number of two digits, rounded up: `about 1,300`."""
    step = 10 ** max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return f"about {math.ceil(count / step - 1e-9) * step:,}"


def require_promise(
    target: KeepTarget,
    reaches: NDArray[np.bool_],
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
) -> None:
    """Raise InputError if no scores at all could promise the target.

    `reaches`, of shape (n,): True for documents whose label reaches the threshold; `clusters`, of shape (n,): their
    clusters. Call it before training.
    """
    if not target.promised or target.aim not in ("recall", "precision"):
        return
    # Scores that separate the documents perfectly: whatever is refused with them is refused with any.
    curve = ThresholdCurve.of(reaches.astype(float), reaches, clusters)
    if target.aim == "recall":
        curve._require_positives(target.value or 0.0)
    elif reaches.any():
        least = least_trials(target.value or 0.0)
        worth = float((curve.kept_clusters or curve.kept)[-1])
        if worth < least:
            raise InputError(
                f"documents worth {worth:.0f} independent ones cannot promise a precision of {target.value:g}",
                where=curve._where(),
                fix=f"Label {_about(len(reaches) * least / worth)} documents like these, require less, or give "
                f"precision~{target.value:g}, which promises nothing",
            )


@lru_cache
def _first_trial(precision: float) -> int:
    """Return the documents kept by the strictest cut tried.

    It is the smallest number for which a cut with half of the allowed errors passes the test.
    """
    half = (1 + Fraction(repr(float(precision)))) / 2
    return next(n for n in count(1) if chance_of(rounded_up(half, n), n, precision) <= 1 - CONFIDENCE)
