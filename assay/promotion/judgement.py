"""What the promotion gate says of a challenger: each rule's word, the verdict, and the figures behind it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.errors import InputError
from assay.evaluation import SliceDifference
from assay.gates import Verdict
from assay.metrics import Difference, Interval
from assay.promotion.latency import Latency
from assay.promotion.limits import PromotionLimits
from assay.promotion.test_set import Wear, wear_from_json

Outcome = Literal["kept", "broken", "open", "note"]
Word = Literal["promoted", "refused", "undecided"]


@dataclass(frozen=True)
class Candidate:
    """A model that is judged, or judged against."""

    name: str
    """What people call it: version, alias or folder."""
    digest: str
    """Of the model folder, 64 hex digits; its version in a registry is the first 12."""


@dataclass(frozen=True)
class Rule:
    """One rule of the gate."""

    name: str
    outcome: Outcome
    """`kept`; `broken`, which refuses; `open`: too little is known, which leaves it undecided; `note`: to be known, but
    it decides nothing."""
    sentence: str
    """With its figures."""


@dataclass(frozen=True)
class Judgement:
    """The gate's word on one challenger.

    All rules must be kept. A challenger that is no better passes `better` only if the primary metric's interval lies
    above 0 by luck, in at most 2.5 % of the cases; every further rule can only refuse more.
    """

    challenger: Candidate
    champion: Candidate | None
    """None where there is none: then absolute limits alone judge."""
    rules: list[Rule]
    limits: PromotionLimits
    primary: str
    """Name of the metric that decides."""
    documents: int
    clusters: int
    positive: int
    """Documents whose label reaches the threshold."""
    metrics: dict[str, Interval]
    """Of the challenger."""
    champion_metrics: dict[str, Interval]
    differences: dict[str, Difference]
    """Challenger less champion, above 0 the challenger is better; empty without a champion."""
    slices: list[SliceDifference]
    """With the difference in the primary metric alone, at a level corrected for their number."""
    gates: list[Verdict]
    latency: Latency | None = None
    champion_latency: Latency | None = None
    megabytes: float | None = None
    wear: Wear | None = None
    lineage: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Word:
        """`promoted` where all rules are kept, `refused` where one is broken, else `undecided`: not to be promoted
        unless a person answers for it."""
        outcomes = {rule.outcome for rule in self.rules}
        return "refused" if "broken" in outcomes else "undecided" if "open" in outcomes else "promoted"

    def sentence(self) -> str:
        """For people: the verdict, and the sentences that it rests on."""
        against = f"against {self.champion.name}" if self.champion else "without a champion to beat"
        said = f"{self.challenger.name}, judged {against}: {self.verdict}."
        reasons = [rule.sentence for rule in self.rules if rule.outcome in ("broken", "open")]
        if self.verdict == "promoted":  # on what it rests; all else is no more than kept
            told = ("comparison",) if self.champion else ("comparison", "ranking")
            reasons = [rule.sentence for rule in self.rules if rule.name in told]
        return " ".join([said, *reasons])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"verdict": self.verdict, "sentence": self.sentence(), **asdict(self)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Judgement":
        """The inverse of `to_json`. Raises InputError where it is none, or does not follow from its own rules."""
        try:
            fields = {name: value for name, value in given.items() if name not in ("verdict", "sentence")}
            made = cls(
                **{
                    **fields,
                    "challenger": Candidate(**fields["challenger"]),
                    "champion": Candidate(**fields["champion"]) if fields["champion"] else None,
                    "rules": [Rule(**rule) for rule in fields["rules"]],
                    "limits": PromotionLimits(**fields["limits"]),
                    "metrics": {name: Interval(**of) for name, of in fields["metrics"].items()},
                    "champion_metrics": {name: Interval(**of) for name, of in fields["champion_metrics"].items()},
                    "differences": {name: Difference(**of) for name, of in fields["differences"].items()},
                    "slices": [
                        SliceDifference(
                            **{**part, "differences": {n: Difference(**of) for n, of in part["differences"].items()}}
                        )
                        for part in fields["slices"]
                    ],
                    "gates": [Verdict.from_json(verdict) for verdict in fields["gates"]],
                    "latency": Latency(**fields["latency"]) if fields["latency"] else None,
                    "champion_latency": Latency(**fields["champion_latency"]) if fields["champion_latency"] else None,
                    "wear": wear_from_json(fields["wear"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"this verdict cannot be read: {error!r}", fix="Give a file that `assay challenge` wrote"
            ) from error
        if made.verdict != given.get("verdict"):
            raise InputError(f"this verdict says {given.get('verdict')!r}, and its rules say {made.verdict!r}")
        return made
