"""The verdict on a canary, and its page."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from assay.canary.judge import Outcome, Test
from assay.canary.traffic import Traffic
from assay.deployment import CanaryConfig
from assay.registry import Decision
from assay.report import Callout, Facts, Prose, Report, Section, Table

LEVELS: dict[Outcome, str] = {"kept": "kept", "broken": "refuses", "open": "too little traffic"}


@dataclass(frozen=True)
class Verdict:
    """The result of a canary."""

    version: str
    serving: str
    """Version that it was compared with."""
    outcome: Literal["promoted", "rolled back"]
    reason: str
    """One sentence or more, for people."""
    config: CanaryConfig
    share: float
    """Share of the traffic that the new version had."""
    unit: str
    """Unit that was drawn: a request or a connection."""
    seconds: float
    looks: int
    """Looks that were taken."""
    tests: tuple[Test, ...]
    """Tests of the last look. Empty if none was taken."""
    serving_traffic: Traffic
    new_traffic: Traffic

    @property
    def sentence(self) -> str:
        """The verdict for people, without what serves now."""
        return (
            f"Canary of {self.version} beside {self.serving}, {self.share:.0%} of the traffic for "
            f"{self.seconds / 60:.1f} minutes: {self.outcome}. {self.reason}"
        )


def canary_report(decision: Decision, verdict: Verdict) -> Report:
    """Return the page of a canary."""
    config = verdict.config
    level: Literal["good", "bad"] = "good" if verdict.outcome == "promoted" else "bad"
    facts = {
        "decided": f"{decision.when[:16].replace('T', ' ')} UTC",
        "serving now": decision.serving or "unknown",
        "champion now": decision.champion or "none",
        "share": f"{verdict.share:.1%} of the {verdict.unit}s, planned {config.share:.1%}",
        "duration": f"{verdict.seconds / 60:.1f} of {config.minutes:g} minutes",
        "looks": f"{verdict.looks} of {config.looks}",
    }
    rows = [
        {
            "test": test.name,
            "": LEVELS[test.outcome],
            "serving version": test.serving,
            "new version": test.new,
            "why": test.sentence,
        }
        for test in verdict.tests
    ]
    caption = (
        f"A test refuses if its p is at most {config.level:.2g} and the difference reaches its limit. So all tests at "
        f"all {config.looks} looks together roll back a version like the serving one in at most "
        f"{config.false_alarm:.0%} of the canaries (Bonferroni). In brackets: 95 % intervals."
    )
    volumes = pd.DataFrame(
        [
            {
                "": whose,
                "requests": f"{each.requests:,}",
                "failed": f"{each.failed:,}",
                "documents": f"{each.documents:,}",
                "worth independent ones": f"{each.worth:,.0f}",
                "kept": f"{each.kept:,}",
            }
            for whose, each in (
                (f"serving: {verdict.serving}", verdict.serving_traffic),
                (f"new: {verdict.version}", verdict.new_traffic),
            )
        ]
    )
    basis = (
        f"Each {verdict.unit} went to one of the two versions at random, so that both had the same mixture of traffic. "
        "Documents of one request count as a cluster. The kept share and p_keep are compared, because they mean the "
        "same in both versions; raw scores are not."
    )
    if verdict.unit != "request":
        basis += (
            " Requests of one connection depend on each other: the error rate holds only if clients open many of them."
        )
    steps = pd.DataFrame({"": range(1, len(decision.events) + 1), "step": decision.events})
    return Report(
        f"Canary {verdict.outcome}: {verdict.version}",
        facts["decided"],
        [
            Section("Verdict", [Callout(decision.sentence, level), Facts(facts)]),
            Section("Tests", [Table(pd.DataFrame(rows), caption) if rows else Prose("No test was made.")]),
            Section("Traffic", [Table(volumes), Prose(basis)]),
            *([Section("Steps", [Table(steps)])] if decision.events else []),
        ],
    )
