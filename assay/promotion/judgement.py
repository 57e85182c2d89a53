"""The judgement on a challenger: the outcome of each rule, the verdict that follows from them, and the figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.errors import InputError
from assay.evaluation import SliceDifference
from assay.gates import Verdict
from assay.metrics import Difference, Interval
from assay.promotion.latency import Latency
from assay.promotion.limits import PromotionLimits
from assay.promotion.test_set import Wear
from assay.storage import only_known_fields, parse_record

Outcome = Literal["kept", "broken", "open", "note"]
Word = Literal["promoted", "refused", "undecided"]


@only_known_fields
@dataclass(frozen=True)
class Candidate:
    """A model that is compared: the challenger or the champion."""

    name: str
    """Name for people: version, alias or folder."""
    digest: str
    """Digest of the model folder, 64 hex digits; its version in a registry is the first 12."""


@only_known_fields
@dataclass(frozen=True)
class Rule:
    """The result of one promotion rule."""

    name: str
    outcome: Outcome
    """`kept`; `broken`: refuses the challenger; `open`: too little is known, leaves it undecided; `note`: information
    that decides nothing."""
    sentence: str
    """Reason of the outcome with its figures, for people."""


@only_known_fields
@dataclass(frozen=True)
class Judgement:
    """The judgement of the promotion rules on one challenger.

    All rules must be kept. Of the challengers of a year that are no better than the champion, any keeps the rule
    `better` in at most 2.5 % of the years (`assay.promotion.spending`). Every further rule can only refuse more.
    """

    challenger: Candidate
    champion: Candidate | None
    """None if there is no champion: then only the absolute limits apply."""
    rules: list[Rule]
    limits: PromotionLimits
    primary: str
    """Name of the metric that decides."""
    documents: int
    clusters: int
    positive: int
    """Documents whose label reaches the threshold."""
    metrics: dict[str, Interval]
    """Metrics of the challenger."""
    champion_metrics: dict[str, Interval]
    """Metrics of the champion; empty without a champion."""
    differences: dict[str, Difference]
    """Challenger less champion: above 0 the challenger is better. Empty without a champion."""
    slices: list[SliceDifference]
    """Slices with the difference in the primary metric, at a level corrected for the number of slices."""
    gates: list[Verdict]
    latency: Latency | None = None
    champion_latency: Latency | None = None
    megabytes: float | None = None
    """Size of the challenger's folder, in 10^6 bytes."""
    wear: Wear | None = None
    detectable: float | None = None
    """Gain in the primary metric that these documents would show four times in five. None without an interval."""
    lineage: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Word:
        """`refused` if a rule is broken, else `undecided` if a rule is open, else `promoted`.

        An undecided challenger is promoted only if a person gives a reason.
        """
        outcomes = {rule.outcome for rule in self.rules}
        return "refused" if "broken" in outcomes else "undecided" if "open" in outcomes else "promoted"

    def sentence(self) -> str:
        """Return the verdict and its reasons, for people."""
        against = f"compared with {self.champion.name}" if self.champion else "without a champion to compare with"
        reasons = [rule.sentence for rule in self.rules if rule.outcome in ("broken", "open")]
        if self.verdict == "promoted":  # the rules that it rests on; the others are only not broken
            names = ("comparison",) if self.champion else ("comparison", "ranking")
            reasons = [rule.sentence for rule in self.rules if rule.name in names]
        return " ".join([f"{self.challenger.name}, {against}: {self.verdict}.", *reasons])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"verdict": self.verdict, "sentence": self.sentence(), **asdict(self)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Judgement":
        """Return the judgement that `to_json` wrote.

        Raise InputError if a field is damaged, or if the verdict does not follow from the rules: then it was edited.
        """
        fix = "Give a file that `assay challenge` wrote"
        fields = {name: value for name, value in given.items() if name not in ("verdict", "sentence")}
        made = parse_record(cls, fields, what="this verdict", fix=fix)
        if made.verdict != given.get("verdict"):
            raise InputError(f"this verdict is {given.get('verdict')!r}, but its rules give {made.verdict!r}", fix=fix)
        return made
