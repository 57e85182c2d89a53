"""What people see of the promotion gate's verdict: a table, a page, and sections for other reports."""

from typing import Literal

import pandas as pd

from assay.evaluation import gain_in_words, in_words
from assay.gates import gate_sections
from assay.metrics import METRICS, told_apart
from assay.promotion.judgement import Judgement, Outcome, Word
from assay.promotion.slices import ALPHA
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table

LEVELS: dict[Word, Literal["good", "bad", "warn"]] = {"promoted": "good", "refused": "bad", "undecided": "warn"}
SAID: dict[Outcome, str] = {"kept": "kept", "broken": "refuses", "open": "cannot tell", "note": "to be known"}
ORDER: tuple[Outcome, ...] = ("broken", "open", "kept", "note")


def rules_table(judgement: Judgement) -> pd.DataFrame:
    """One row a rule: those that refuse first, then those that cannot tell."""
    rules = sorted(judgement.rules, key=lambda rule: ORDER.index(rule.outcome))
    return pd.DataFrame([{"rule": rule.name, "": SAID[rule.outcome], "why": rule.sentence} for rule in rules])


def promotion_sections(judgement: Judgement) -> list[Section]:
    """The verdict and what it rests on, for a report of any kind."""
    blocks: list[Block] = [
        Callout(judgement.sentence(), LEVELS[judgement.verdict]),
        Table(
            rules_table(judgement),
            "All rules must be kept. One that is broken refuses it; one that cannot tell leaves it undecided, "
            "and it is not promoted unless a person gives a reason.",
        ),
    ]
    sections = [Section("Verdict", blocks), Section("Figures", _figures(judgement))]
    if judgement.champion:
        sections.append(Section("Slices", _slices(judgement)))
    return [*sections, Section("The test set", _wear(judgement))]


def promotion_report(judgement: Judgement) -> Report:
    """The page."""
    lineage = pd.DataFrame([{"": name, " ": value} for name, value in judgement.lineage.items()])
    limits = pd.DataFrame(
        [
            {"limit": name, "": "not asked for" if value is None else f"{value:g}" if _number(value) else str(value)}
            for name, value in vars(judgement.limits).items()
        ]
    )
    against = f"against {judgement.champion.name}" if judgement.champion else "without a champion to beat"
    return Report(
        "Should it become champion?",
        f"{judgement.challenger.name} {against}, {judgement.documents:,} documents in {judgement.clusters:,} clusters",
        [
            *promotion_sections(judgement),
            *gate_sections(judgement.gates),
            Section("Limits", [Table(limits)]),
            *([Section("Lineage", [Table(lineage)])] if len(lineage) else []),
        ],
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _figures(judgement: Judgement) -> list[Block]:
    facts = {
        "documents": f"{judgement.documents:,}",
        "clusters": f"{judgement.clusters:,}",
        "reach the threshold": f"{judgement.positive:,}",
    }
    if judgement.megabytes is not None:
        facts["size"] = f"{judgement.megabytes:,.1f} MB"
    speeds = {"Challenger": judgement.latency, "Champion": judgement.champion_latency}
    speed = "\n".join(f"- {whose}: {found.in_words()}." for whose, found in speeds.items() if found)
    rows = []
    for name in [judgement.primary, *(name for name in METRICS if name != judgement.primary)]:
        row = {"": METRICS[name].title + (", decides" if name == judgement.primary else "")}
        row["challenger"] = in_words(judgement.metrics[name])
        if judgement.champion:
            row["champion"] = in_words(judgement.champion_metrics[name])
            row["challenger is better by"] = gain_in_words(judgement.differences[name])
            row["challenger is"] = told_apart(judgement.differences[name])
        rows.append(row)
    caption = (
        "In brackets: 95 % intervals by bootstrap over clusters, for differences paired on the same documents; above 0 "
        "the challenger is better, also in errors. The metric that decides was named beforehand, and the interval of "
        "its difference is the wider of two, by bootstrap and by Student's t; the others are called better or worse "
        "only after Holm's correction, and decide nothing."
    )
    return [Facts(facts), Table(pd.DataFrame(rows), caption), *([Prose(speed)] if speed else [])]


def _slices(judgement: Judgement) -> list[Block]:
    if not judgement.slices:
        return [Prose("None was looked at.")]
    title = METRICS[judgement.primary].title
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            f"{title}, challenger less champion": gain_in_words(part.differences[judgement.primary])
            if part.differences
            else "too small",
        }
        for part in sorted(judgement.slices, key=lambda part: not part.differences)
    ]
    count = sum(bool(part.differences) for part in judgement.slices)
    caption = (
        f"Intervals at the level {100 * (1 - ALPHA / max(count, 1)):.1f} % each, so that of {count} slices together "
        f"one or more refuse a challenger that is nowhere worse by {judgement.limits.slice_margin:g} in at most "
        f"{50 * ALPHA:.1f} % of the cases."
    )
    return [Table(pd.DataFrame(rows), caption)]


def _wear(judgement: Judgement) -> list[Block]:
    wear = judgement.wear
    if wear is None:
        return [Prose("How often it has decided is not known.")]
    complaint = wear.complaint(judgement.limits)
    facts = {
        "documents": f"{wear.documents:,}",
        "decisions served": f"{wear.uses:,} of {judgement.limits.test_uses:,}",
        "since": wear.since[:10],
        "digest of the ids": wear.digest[:12],
    }
    said = (
        "Each decision tells a little of the test set, and models chosen by it come to fit it without ever training on "
        "it (Dwork et al. 2015, Science 349). How fast depends on how far each choice follows the last one; the number "
        "allowed is a convention."
    )
    return [*([Callout(complaint, "warn")] if complaint else []), Facts(facts), Prose(said)]
