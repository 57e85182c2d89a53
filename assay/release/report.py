"""Each decision about what serves, in one report: what the gate said, what was done, what serves now."""

import json
from typing import Literal

import pandas as pd

from assay.promotion import Judgement, promotion_report
from assay.registry import Decision, DecisionLog, Outcome
from assay.report import Callout, Facts, Report, Section, Table, render_html

LEVELS: dict[Outcome, Literal["good", "note", "warn", "bad"]] = {
    "promoted": "good",
    "deployed": "good",
    "kept": "note",
    "rolled back": "warn",
    "failed": "bad",
}


def decision_report(decision: Decision, verdict: str = "") -> Report:
    """The page of a decision; `verdict`: what the gate said, as JSON text of `Judgement.to_json`, empty where it was
    not asked. Raises InputError where that is no verdict."""
    when = decision.when[:16].replace("T", " ")
    facts = {
        "decided": f"{when} UTC" if when else "now",
        "about": decision.version,
        "champion now": decision.champion or "none",
        "serving now": decision.serving or "nothing that is known",
    }
    sections = [Section("Decision", [Callout(decision.sentence, LEVELS[decision.outcome]), Facts(facts)])]
    if decision.events:
        done = pd.DataFrame({"": range(1, len(decision.events) + 1), "what was done": decision.events})
        sections.append(Section("What was done", [Table(done)]))
    title = f"{decision.outcome[0].upper()}{decision.outcome[1:]}: {decision.version}"
    subtitle = facts["decided"]
    if verdict:
        asked = promotion_report(Judgement.from_json(json.loads(verdict)))
        sections += asked.sections
        subtitle = f"{subtitle}, {asked.subtitle}".lstrip(", ")
    return Report(title, subtitle, sections)


def keep_decision(registry: str, decision: Decision, verdict: str = "") -> Decision:
    """Add a decision and its page to the log of the registry; returns it as it stands there."""
    return DecisionLog(registry).append(decision, lambda entry: render_html(decision_report(entry, verdict)))
