"""Precision and recall of one corpus from a stratified sample, with design-based intervals, and the verdict."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from assay.audit.plan import AuditPlan, Stratum
from assay.errors import InputError
from assay.metrics import Interval
from assay.model import KeepTarget
from assay.proportions import CONFIDENCE, clopper_pearson

LEAST_LABELS = 10
"""Labels of the selection, and of what was left out, below which nothing is measured."""


@dataclass(frozen=True)
class Audit:
    """Precision and recall of one selection from one corpus.

    Population: the documents of this corpus in scope, without near-duplicates of selected ones; no model of them is
    assumed. Sample: stratified by selection and score, at random within a stratum. Intervals: 95 %, exact on the
    independent trials that the stratified sample is worth (Korn and Graubard 1998); of the recall by the method of
    variance estimates recovery (Zou and Donner, "Construction of confidence limits about effect measures", Statistics
    in Medicine 27, 2008) on the log of the ratio of good documents selected and left out.
    """

    precision: Interval
    recall: Interval
    good: Interval
    """Share of good documents in the corpus."""
    labels: int
    """Labels given."""
    missing: int
    """Documents of the sample without a label."""
    good_of: list[int]
    """Good documents among the labelled ones, by stratum."""
    labelled_of: list[int]
    """Labelled documents, by stratum."""
    verdict: str
    """`kept`, `broken` or `open` for the promise of the selection; `none` if nothing was promised."""
    sentence: str
    """The verdict for people."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def measure_audit(plan: AuditPlan, labels: Mapping[str, float]) -> Audit:
    """Measure a plan by labels: id -> label. Documents without a label count as missing at random in their stratum.

    Raise InputError for labels of unknown documents, and for fewer than 10 on a side.
    """
    unknown = [name for name in labels if name not in plan.ids]
    if unknown:
        raise InputError(
            f"{len(unknown)} labels are of documents that are not in the sample, such as {unknown[0]!r}",
            where="audit",
            fix="Fill in the file that `assay audit` wrote",
        )
    good, labelled = (np.zeros(len(plan.strata), np.int64) for _ in range(2))
    for name, label in labels.items():
        labelled[plan.ids[name]] += 1
        good[plan.ids[name]] += label >= plan.threshold
    sides = {}
    for selected, title in ((True, "selected documents"), (False, "documents left out")):
        places = [place for place, stratum in enumerate(plan.strata) if stratum.selected == selected]
        count = int(labelled[places].sum())
        if sum(plan.strata[place].documents for place in places) and count < LEAST_LABELS:
            raise InputError(
                f"{count} of the {title} are labelled; at least {LEAST_LABELS} are needed",
                where="audit",
                fix="Label more of the sample",
            )
        empty = [place for place in places if plan.strata[place].sample and not labelled[place]]
        if empty:
            stratum = plan.strata[empty[0]]
            raise InputError(
                f"none of the {stratum.sample} sampled {title} with scores from {stratum.low:.3g} to "
                f"{stratum.high:.3g} is labelled",
                where="audit",
                fix="Label some of each stratum",
            )
        sides[selected] = _share([plan.strata[place] for place in places], good[places], labelled[places])
    precision, left = sides[True], sides[False]
    sizes = {side: sum(stratum.documents for stratum in plan.strata if stratum.selected == side) for side in sides}
    everything = _share(list(plan.strata), good, labelled)
    recall = _recall(precision, left, sizes[True], sizes[False])
    verdict, sentence = _verdict(plan, precision, recall)
    return Audit(
        precision=precision,
        recall=recall,
        good=everything,
        labels=len(labels),
        missing=len(plan.ids) - len(labels),
        good_of=good.tolist(),
        labelled_of=labelled.tolist(),
        verdict=verdict,
        sentence=sentence,
    )


def _share(strata: list[Stratum], good: NDArray[np.int64], labelled: NDArray[np.int64]) -> Interval:
    """Return the share of good documents of some strata, weighted by their sizes, with its interval."""
    sizes = np.array([stratum.documents for stratum in strata], float)
    used = labelled > 0
    if not sizes[used].sum():
        return Interval(None, None, None)
    sizes, y, n = sizes[used], good[used].astype(float), labelled[used].astype(float)
    weight = sizes / sizes.sum()
    value = float(weight @ (y / n))
    # Half a good and half a bad document are added for the variance alone: a stratum of which all labels agree is not
    # known exactly. A stratum that is labelled whole is.
    smoothed = (y + 0.5) / (n + 1)
    rest = 1 - n / sizes
    variance = float((weight**2 * rest * smoothed * (1 - smoothed) / n).sum())
    if variance <= 0:
        return Interval(value, value, value, int(n.sum()))
    freedom = max(float((n - 1).sum()), 1.0)
    price = float((norm.isf((1 - CONFIDENCE) / 2) / student.isf((1 - CONFIDENCE) / 2, freedom)) ** 2)
    # At the ends, the share of the smoothed strata decides how many trials the sample is worth.
    centre = float(weight @ smoothed)
    worth = centre * (1 - centre) / variance * price
    low, high = clopper_pearson(value * worth, worth)
    return Interval(value, float(low), float(high), int(n.sum()))


def _recall(precision: Interval, left: Interval, selected: int, out: int) -> Interval:
    """Return the share of the good documents that is selected."""
    if not out or left.value is None:
        return Interval(1.0, 1.0, 1.0, precision.n)
    if precision.value is None or left.low is None or left.high is None or precision.low is None:
        return Interval(None, None, None)
    a, a_low, a_high = (selected * float(value or 0) for value in (precision.value, precision.low, precision.high))
    b, b_low, b_high = (out * float(value or 0) for value in (left.value, left.low, left.high))
    n = precision.n + left.n
    if a + b == 0:
        return Interval(None, None, None, n)
    low = _odds(a, a_low, b, b_high, -1)
    high = _odds(a, a_high, b, b_low, 1)
    return Interval(a / (a + b), low, high, n)


def _odds(a: float, a_end: float, b: float, b_end: float, sign: int) -> float:
    """Return one end of the recall a / (a + b): the lower for sign -1, from the ends of a and b on that side."""
    if min(a, a_end, b, b_end) <= 0:
        # A log is infinite: the corner of both intervals, which is the farther end.
        return a_end / (a_end + b_end) if a_end + b_end else float(sign > 0)
    reach = math.hypot(math.log(a) - math.log(a_end), math.log(b_end) - math.log(b))
    odds = math.exp(math.log(a / b) + sign * reach)
    return odds / (1 + odds)


def _verdict(plan: AuditPlan, precision: Interval, recall: Interval) -> tuple[str, str]:
    target = KeepTarget.parse(plan.target) if plan.target else None
    if target is None or target.aim not in ("precision", "recall") or target.value is None:
        return "none", "No precision or recall was requested of this selection, so there is no promise to check."
    found = precision if target.aim == "precision" else recall
    figures = f"the {target.aim} of this corpus is {found.in_words()}, and {target.value:g} was requested"
    if found.low is None or found.high is None:
        return "open", f"Open: {figures}."
    if found.low >= target.value:
        return "kept", f"Kept: {figures}."
    if found.high < target.value:
        return "broken", f"Broken: {figures}."
    return "open", f"Open: {figures}; a larger sample would tell."
