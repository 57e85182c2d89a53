"""The report of a decision about the serving version: the comparison, the steps done, and what serves now."""

import json
from typing import Literal

import pandas as pd

from assay.promotion import Judgement, promotion_report
from assay.registry import Decision, DecisionLog, Outcome
from assay.report import Callout, Facts, Report, Section, Table, TextItem, Texts, render_html

LEVELS: dict[Outcome, Literal["good", "note", "warn", "bad"]] = {
    "promoted": "good",
    "deployed": "good",
    "kept": "note",
    "rolled back": "warn",
    "failed": "bad",
}


def decision_report(decision: Decision, verdict: str = "", details: str = "") -> Report:
    """Return the page of a decision.

    `verdict`: result of the comparison, as JSON text of `Judgement.to_json`; empty if none was made. `details`: the
    whole message of a failure. Raise InputError if `verdict` is no verdict.
    """
    when = decision.when[:16].replace("T", " ")
    facts = {
        "decided": f"{when} UTC" if when else "now",
        "about": decision.version,
        "champion now": decision.champion or "none",
        "serving now": decision.serving or "unknown",
    }
    sections = [Section("Decision", [Callout(decision.sentence, LEVELS[decision.outcome]), Facts(facts)])]
    if decision.events:
        done = pd.DataFrame({"": range(1, len(decision.events) + 1), "step": decision.events})
        sections.append(Section("Steps", [Table(done)]))
    if details.strip():
        sections.append(Section("Message of the failure", [Texts([TextItem("as the task ended", details)])]))
    title = f"{decision.outcome[0].upper()}{decision.outcome[1:]}: {decision.version}"
    subtitle = facts["decided"]
    if verdict:
        compared = promotion_report(Judgement.from_json(json.loads(verdict)))
        sections += compared.sections
        subtitle = f"{subtitle}, {compared.subtitle}".lstrip(", ")
    return Report(title, subtitle, sections)


def keep_decision(registry: str, decision: Decision, verdict: str = "", details: str = "") -> Decision:
    """Add a decision and its page to the log of the registry, and return the entry."""
    return DecisionLog(registry).append(decision, lambda entry: render_html(decision_report(entry, verdict, details)))
