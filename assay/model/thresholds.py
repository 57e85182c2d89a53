"""Where to cut: precision and recall at every score of held-out documents, and the cut chosen for a target."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from assay.errors import InputError

FloatArray: TypeAlias = NDArray[np.float64]
Aim: TypeAlias = Literal["labels", "f1", "share", "precision", "recall"]

MOST_POINTS = 400
"""Of a curve: half of them evenly spaced in documents, half in their logarithm, for the kept class may be rare."""
CONFIDENCE = 0.95
"""With which a promised precision or recall holds."""
TRIALS = 40
"""Most cuts at which a promised precision is tried, evenly spaced in the logarithm of the documents kept."""
EVERYTHING = -float(np.finfo(float).max)
"""A cut that every score reaches; JSON has no infinity."""


@dataclass(frozen=True)
class KeepTarget:
    """What the cut between kept and dropped documents is chosen for.

    `labels`: as many are kept as have labels that reach the threshold. `f1`: the best F1. `share`: a share of the
    documents. `precision`, `recall`: as many, or as few, documents as have at least this.
    """

    aim: Aim = "labels"
    value: float | None = None
    """Of share, precision and recall: above 0, at most 1."""
    promised: bool = True
    """Of precision and recall: whether they hold with 95 % confidence, or only on the documents at hand."""

    def __post_init__(self) -> None:
        if self.aim not in get_args(Aim):
            raise InputError(f"keep is {self.aim!r}", fix=f"Give {SPELLINGS}")
        if (self.aim in ("labels", "f1")) != (self.value is None):
            said = "needs no number" if self.value is not None else "needs a number"
            raise InputError(f"keep {self.aim} {said}", fix=f"Give {SPELLINGS}")
        if self.value is not None and not 0 < self.value <= 1:
            raise InputError(f"keep {self.aim} is {self.value:g}", fix="Give more than 0 and at most 1")
        if self.promised and self.aim in ("precision", "recall") and self.value == 1:
            raise InputError(f"no number of documents can promise a {self.aim} of 1", fix="Give less than 1")

    @classmethod
    def parse(cls, text: str) -> "KeepTarget":
        """From `labels`, `f1`, `share=0.1`, `precision=0.8`, `recall=0.9`; `~` for `=` promises nothing.

        Raises InputError for anything else.
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
    """One point of a curve: what is kept from a score on, and with which precision and recall.

    Intervals are those of Clopper and Pearson (1934) at 95 %, for a cut that was not chosen by looking at them.
    """

    score: float | None
    """Lowest score that is kept; None where nothing is."""
    share: float
    """Of the documents that are kept."""
    precision: float | None
    precision_interval: tuple[float, float]
    recall: float
    recall_interval: tuple[float, float]


@dataclass(frozen=True)
class ThresholdCurve:
    """Kept and rightly kept documents at rising numbers of kept ones; at most 400 points.

    Population: documents like the n it was made of, taken as independent; the score knows none of their labels.
    """

    documents: int
    positive: int
    """Whose label reaches the threshold; at least one, and not all."""
    cuts: tuple[float, ...]
    """Falling. Halfway between neighbouring scores, so that rounding on another machine moves nobody."""
    kept: tuple[int, ...]
    right: tuple[int, ...]
    """Of the kept ones, those whose label reaches the threshold."""

    @classmethod
    def of(cls, scores: FloatArray, reaches: NDArray[np.bool_]) -> "ThresholdCurve":
        """From scores and whether the label reaches the threshold, both of shape (n,). Equal scores are one point."""
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
        """The cut for a target.

        A promised recall r: the cut may miss at most so many positive documents that a model with less than r would
        miss so few in at most 5 % of all samples; exact for order statistics. A promised precision: cuts are tried
        from the strictest to the most lenient, in steps that know no labels, as long as a binomial test at 5 % says
        more than p; the last one stands (fixed-sequence testing: Angelopoulos et al., "Learn then Test", 2021).
        Raises InputError where the documents cannot promise it.
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
                fix="Ask for less, or label more documents" + ("" if not target.promised else "; ~ promises nothing"),
            )
        return self.at(int(passing[-1]))

    def at(self, number: int | None) -> Cut:
        """A point of the curve, strictest first; None keeps nothing."""
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
        """The point that keeps so many documents, or as near to it as ties allow; None for none at all."""
        distance = np.abs(np.array(self.kept) - count)
        return None if count < distance.min() else int(np.argmin(distance))

    def _allowed_misses(self, recall: float) -> int:
        """Most misses k with P(at most k of n positives missed | recall) <= 5 %. Raises InputError where k < 0."""
        misses = int(binom.ppf(1 - CONFIDENCE, self.positive, 1 - recall))
        while misses >= 0 and binom.cdf(misses, self.positive, 1 - recall) > 1 - CONFIDENCE:
            misses -= 1
        if misses < 0:
            least = math.ceil(math.log(1 - CONFIDENCE) / math.log(recall))
            raise InputError(
                f"{self.positive} documents that reach the threshold cannot promise a recall of {recall:g}",
                where=self._where(),
                fix=f"Label until {least} reach it, ask for less, or give recall~{recall:g}, which promises nothing",
            )
        return misses

    def _proven(self, precision: float) -> NDArray[np.int64]:
        """Points whose precision is above `precision`, at 5 % for all of them together; strictest first."""
        kept, right = np.array(self.kept), np.array(self.right)
        wanted = np.geomspace(min(_first_trial(precision), self.documents), self.documents, TRIALS)
        tried = np.unique(np.abs(np.log(kept)[None, :] - np.log(wanted)[:, None]).argmin(axis=1))
        passed = binom.sf(right[tried] - 1, kept[tried], precision) <= 1 - CONFIDENCE
        return tried[np.logical_and.accumulate(passed)]

    def _where(self) -> str:
        return f"calibration part of {self.documents} documents, {self.positive} of which reach the threshold"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ThresholdCurve":
        """The inverse of `to_json`; raises TypeError for other fields."""
        kwargs: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return cls(**kwargs)


def cut_for(score: FloatArray, count: int) -> float | None:
    """A score that `count` documents reach, or as near to so many as ties allow; None where none should.

    Halfway between two neighbouring scores, so that rounding on another machine moves nobody.
    """
    if count == 0:
        return None
    ordered = np.sort(score)[::-1]
    if count == len(ordered):
        return EVERYTHING
    if ordered[count - 1] > ordered[count]:
        return float((ordered[count - 1] + ordered[count]) / 2)
    # The tie at the cut goes to the side that comes nearer to the count.
    tied = ordered[count]
    reached, fewer = int((ordered >= tied).sum()), int((ordered > tied).sum())
    if reached - count <= count - fewer:
        below = ordered[ordered < tied]
        return float((tied + below[0]) / 2) if len(below) else EVERYTHING
    above = ordered[ordered > tied]
    return float((tied + above[-1]) / 2) if len(above) else None


def require_promise(target: KeepTarget, reaches: NDArray[np.bool_]) -> None:
    """Raises InputError where no scores could promise the target for documents of which these reach the threshold.

    `reaches`: shape (n,). So much can be said before anything is trained.
    """
    if target.aim == "recall" and target.promised:
        ThresholdCurve(len(reaches), int(reaches.sum()), (), (), ())._allowed_misses(target.value or 0.0)


def _first_trial(precision: float) -> int:
    """Documents of the strictest cut tried: so many that one whose errors are half of those allowed passes."""
    count = 1
    while binom.sf(math.ceil(count * (1 + precision) / 2) - 1, count, precision) > 1 - CONFIDENCE:
        count += 1
    return count


def _recall_count(recall: float, curve: ThresholdCurve) -> int:
    """Positive documents that have to be kept for a measured recall."""
    return math.ceil(recall * curve.positive - 1e-9)


def _interval(successes: int, trials: int) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)
