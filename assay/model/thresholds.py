"""Choose the cut between kept and dropped: precision and recall at every score, and the cut for a target."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from assay.errors import InputError
from assay.storage import only_known_fields

FloatArray: TypeAlias = NDArray[np.float64]
Aim: TypeAlias = Literal["labels", "f1", "share", "precision", "recall"]

MOST_POINTS = 400
"""Most points of a curve. Half are evenly spaced in documents, half in their logarithm: the kept class may be rare."""
CONFIDENCE = 0.95
"""Confidence with which a promised precision or recall holds."""
TRIALS = 40
"""Most cuts at which a promised precision is tried, evenly spaced in the logarithm of the documents kept."""
EVERYTHING = -float(np.finfo(float).max)
"""Cut that every score reaches. It is finite because JSON has no infinity."""


@dataclass(frozen=True)
class KeepTarget:
    """Target for which the cut between kept and dropped documents is chosen.

    `labels`: keep as many documents as have labels that reach the threshold. `f1`: maximise F1. `share`: keep a share
    of the documents. `precision`: keep as many documents as have at least this precision. `recall`: keep as few
    documents as have at least this recall.
    """

    aim: Aim = "labels"
    """Quantity that the target is about."""
    value: float | None = None
    """Value of a share, precision or recall: above 0, at most 1. None for `labels` and `f1`."""
    promised: bool = True
    """True if a precision or recall must hold with 95 % confidence, False if it is only measured."""

    def __post_init__(self) -> None:
        if self.aim not in get_args(Aim):
            raise InputError(f"keep is {self.aim!r}", fix=f"Give {SPELLINGS}")
        if (self.aim in ("labels", "f1")) != (self.value is None):
            fault = "needs no number" if self.value is not None else "needs a number"
            raise InputError(f"keep {self.aim} {fault}", fix=f"Give {SPELLINGS}")
        if self.value is not None and not 0 < self.value <= 1:
            raise InputError(f"keep {self.aim} is {self.value:g}", fix="Give more than 0 and at most 1")
        if self.promised and self.aim in ("precision", "recall") and self.value == 1:
            raise InputError(f"no number of documents can promise a {self.aim} of 1", fix="Give less than 1")

    @classmethod
    def parse(cls, text: str) -> "KeepTarget":
        """Parse `labels`, `f1`, `share=0.1`, `precision=0.8` or `recall=0.9`. With `~` for `=` nothing is promised.

        Raise InputError for any other text.
        """
        mark = "~" if "~" in text else "="
        aim, given, value = text.partition(mark)
        try:
            number = float(value) if given else None
        except ValueError:
            raise InputError(f"keep is {text!r}", fix=f"Give {SPELLINGS}") from None
        return cls(aim, number, mark == "=")  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.aim if self.value is None else f"{self.aim}{'=' if self.promised else '~'}{self.value:g}"


AS_LABELLED = KeepTarget()
SPELLINGS = "labels, f1, share=0.1, precision=0.8 or recall=0.9 (with 95 % confidence; ~ for = as measured)"


@dataclass(frozen=True)
class Cut:
    """One point of a curve: the lowest kept score, with its precision and recall.

    Intervals are those of Clopper and Pearson (1934) at 95 %. They hold for a cut that was not chosen by them.
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


@only_known_fields
@dataclass(frozen=True)
class ThresholdCurve:
    """Counts of kept and correctly kept documents at falling cuts; at most 400 points.

    Assumptions: the n documents are an independent sample of the population, and the model was not trained on them.
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

    @classmethod
    def of(cls, scores: FloatArray, reaches: NDArray[np.bool_]) -> "ThresholdCurve":
        """Return the curve of `scores`; `reaches`: True for labels at or above the threshold; both of shape (n,).

        Equal scores are one point.
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
        return cls(
            documents=len(scores),
            positive=int(reaches.sum()),
            cuts=tuple(cuts.tolist()),
            kept=tuple((ends + 1).tolist()),
            right=tuple(found[ends].tolist()),
        )

    def choose(self, target: KeepTarget) -> Cut:
        """Return the cut for a target.

        A promised recall r allows k missed positive documents, where k is the largest number that a cut with a recall
        below r reaches in at most 5 % of all samples; this is exact for order statistics. For a promised precision p,
        cuts are tested from the strictest to the most lenient, in steps chosen without labels, each by a binomial test
        at 5 % against p; the last cut before the first failure is returned (fixed-sequence testing: Angelopoulos et
        al., "Learn then Test", 2021). Raise InputError if the documents cannot promise the target.
        """
        kept, right = np.array(self.kept), np.array(self.right)
        precision = right / kept
        value = target.value or 0.0
        if target.aim == "labels":
            return self.at(self._nearest(self.positive))
        if target.aim == "share":
            return self.at(self._nearest(round(value * self.documents)))
        if target.aim == "f1":
            return self.at(int(np.argmax(2 * right / (kept + self.positive))))
        if target.aim == "recall":
            needed = self.positive - self._allowed_misses(value) if target.promised else _recall_count(value, self)
            return self.at(int(np.argmax(right >= needed)))
        passing = self._proven(value) if target.promised else np.flatnonzero(precision >= value)
        if len(passing) == 0:
            best = f"the best measured is {precision.max():.2f}"
            raise InputError(
                f"no cut has a precision of {value:g}{' with 95 % confidence' if target.promised else ''}: {best}",
                where=self._where(),
                fix="Require less, or label more documents" + ("" if not target.promised else "; ~ promises nothing"),
            )
        return self.at(int(passing[-1]))

    def at(self, number: int | None) -> Cut:
        """Return a point of the curve by its number, strictest first. None: the cut that keeps nothing."""
        if number is None:
            return Cut(None, 0.0, None, (0.0, 1.0), 0.0, _interval(0, self.positive))
        kept, right = self.kept[number], self.right[number]
        return Cut(
            score=self.cuts[number],
            share=kept / self.documents,
            precision=right / kept,
            precision_interval=_interval(right, kept),
            recall=right / self.positive,
            recall_interval=_interval(right, self.positive),
        )

    def _nearest(self, count: int) -> int | None:
        """Return the point that keeps `count` documents, as nearly as ties allow. None if it should keep nothing."""
        distance = np.abs(np.array(self.kept) - count)
        return None if count < distance.min() else int(np.argmin(distance))

    def _allowed_misses(self, recall: float) -> int:
        """Return the largest k with P(at most k of n positives missed | recall) <= 5 %. Raise InputError if k < 0."""
        misses = int(binom.ppf(1 - CONFIDENCE, self.positive, 1 - recall))
        # ppf returns the first k at or above 5 %, which is one too many unless it is exactly 5 %.
        while misses >= 0 and binom.cdf(misses, self.positive, 1 - recall) > 1 - CONFIDENCE:
            misses -= 1
        if misses < 0:
            least = math.ceil(math.log(1 - CONFIDENCE) / math.log(recall))
            raise InputError(
                f"{self.positive} documents that reach the threshold cannot promise a recall of {recall:g}",
                where=self._where(),
                fix=f"Label until {least} reach it, require less, or give recall~{recall:g}, which promises nothing",
            )
        return misses

    def _proven(self, precision: float) -> NDArray[np.int64]:
        """Return the points proven to have more than `precision`, strictest first, at 5 % for all of them together."""
        kept, right = np.array(self.kept), np.array(self.right)
        wanted = np.geomspace(min(_first_trial(precision), self.documents), self.documents, TRIALS)
        # The cuts to try depend on the number of documents alone. Choosing them by labels would void the test.
        tried = np.unique(np.abs(np.log(kept)[None, :] - np.log(wanted)[:, None]).argmin(axis=1))
        passed = binom.sf(right[tried] - 1, kept[tried], precision) <= 1 - CONFIDENCE
        # A fixed sequence of tests ends at its first failure: cuts that pass after it prove nothing.
        return tried[np.logical_and.accumulate(passed)]

    def _where(self) -> str:
        return f"calibration part of {self.documents} documents, {self.positive} of which reach the threshold"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. `parse_record(ThresholdCurve, …)` is the inverse."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


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


def require_promise(target: KeepTarget, reaches: NDArray[np.bool_]) -> None:
    """Raise InputError if no scores at all could promise the target.

    `reaches`, of shape (n,): True for documents whose label reaches the threshold. Call it before training.
    """
    if target.aim == "recall" and target.promised:
        ThresholdCurve(len(reaches), int(reaches.sum()), (), (), ())._allowed_misses(target.value or 0.0)


def _first_trial(precision: float) -> int:
    """Return the documents kept by the strictest cut tried.

    It is the smallest number for which a cut with half of the allowed errors passes the test.
    """
    count = 1
    while binom.sf(math.ceil(count * (1 + precision) / 2) - 1, count, precision) > 1 - CONFIDENCE:
        count += 1
    return count


def _recall_count(recall: float, curve: ThresholdCurve) -> int:
    """Return the positive documents that must be kept for a measured recall."""
    return math.ceil(recall * curve.positive - 1e-9)  # 0.55 * 100 is 55.00000000000001


def _interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson (1934) for a share."""
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)
