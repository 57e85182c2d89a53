"""The judgement for people: a table, a page, and sections for other reports."""

from typing import Literal

import pandas as pd

from assay.gates import gate_sections
from assay.metrics import METRICS, significance
from assay.promotion.judgement import Judgement, Outcome, Word
from assay.promotion.slices import ALPHA
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table

LEVELS: dict[Word, Literal["good", "bad", "warn"]] = {"promoted": "good", "refused": "bad", "undecided": "warn"}
WORDS: dict[Outcome, str] = {"kept": "kept", "broken": "refuses", "open": "undecided", "note": "note"}
ORDER: tuple[Outcome, ...] = ("broken", "open", "kept", "note")


def rules_table(judgement: Judgement) -> pd.DataFrame:
    """Return one row a rule: rules that refuse first, then undecided ones."""
    rules = sorted(judgement.rules, key=lambda rule: ORDER.index(rule.outcome))
    return pd.DataFrame([{"rule": rule.name, "": WORDS[rule.outcome], "why": rule.sentence} for rule in rules])


def promotion_sections(judgement: Judgement) -> list[Section]:
    """Return the verdict and its reasons as sections of a report."""
    blocks: list[Block] = [
        Callout(judgement.sentence(), LEVELS[judgement.verdict]),
        Table(
            rules_table(judgement),
            "All rules must be kept. A rule that refuses decides alone. An undecided rule leaves the challenger "
            "undecided: it is not promoted unless a person gives a reason.",
        ),
    ]
    sections = [Section("Verdict", blocks), Section("Figures", _figures(judgement))]
    if judgement.champion:
        sections.append(Section("Slices", _slices(judgement)))
    return [*sections, Section("The test set", _wear(judgement))]


def promotion_report(judgement: Judgement) -> Report:
    """Return the page of a judgement."""
    lineage = pd.DataFrame([{"": name, " ": value} for name, value in judgement.lineage.items()])
    limits = pd.DataFrame(
        [
            {"limit": name, "": "no limit" if value is None else f"{value:g}" if _number(value) else str(value)}
            for name, value in vars(judgement.limits).items()
        ]
    )
    against = f"against {judgement.champion.name}" if judgement.champion else "without a champion to compare with"
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
        row["challenger"] = judgement.metrics[name].in_words()
        if judgement.champion:
            row["champion"] = judgement.champion_metrics[name].in_words()
            row["challenger is better by"] = judgement.differences[name].in_words()
            row["challenger is"] = significance(judgement.differences[name])
        rows.append(row)
    caption = (
        "In brackets: 95 % intervals by bootstrap over clusters, for differences paired on the same documents. Above 0 "
        "the challenger is better, also for errors. The metric that decides was named beforehand; the interval of its "
        "difference is the wider of two, by bootstrap and by Student's t. The other metrics decide nothing; they are "
        "called better or worse only after Holm's correction."
    )
    return [Facts(facts), Table(pd.DataFrame(rows), caption), *([Prose(speed)] if speed else [])]


def _slices(judgement: Judgement) -> list[Block]:
    if not judgement.slices:
        return [Prose("No slice was compared.")]
    title = METRICS[judgement.primary].title
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            f"{title}, challenger less champion": part.differences[judgement.primary].in_words()
            if part.differences
            else "too small",
        }
        for part in sorted(judgement.slices, key=lambda part: not part.differences)
    ]
    count = sum(bool(part.differences) for part in judgement.slices)
    caption = (
        f"Each interval has the level {100 * (1 - ALPHA / max(count, 1)):.1f} %. So the {count} slices together refuse "
        f"a challenger that is nowhere worse by {judgement.limits.slice_margin:g} in at most {50 * ALPHA:.1f} % of the "
        "cases."
    )
    return [Table(pd.DataFrame(rows), caption)]


def _wear(judgement: Judgement) -> list[Block]:
    wear = judgement.wear
    if wear is None:
        return [Prose("The number of times that it has served is unknown.")]
    complaint = wear.complaint(judgement.limits)
    facts = {
        "documents": f"{wear.documents:,}",
        "uses of its documents, on average": f"{wear.uses:,} of {judgement.limits.test_uses:,}",
        "since": wear.since[:10],
        "decisions of the last 365 days": f"{wear.decisions:,} of {judgement.limits.decisions_a_year:,}",
        "digest of the ids": wear.digest[:12],
    }
    if judgement.detectable is not None:
        title = METRICS[judgement.primary].title
        facts["gain that it would show four times in five"] = f"{judgement.detectable:.2g} in {title}"
    reason = (
        "Each use reveals a little of the test set. Models that are chosen by it come to fit it without ever "
        "training on it (Dwork et al. 2015, Science 349). The speed depends on how far each choice follows the last "
        "one; the allowed number of uses is a convention. The number of decisions a year is a bound: together, the "
        "challengers of a year that are no better pass in at most 2.5 % of the years."
    )
    return [*([Callout(complaint, "warn")] if complaint else []), Facts(facts), Prose(reason)]
