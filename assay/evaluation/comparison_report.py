"""What people see of a comparison of two models."""

import pandas as pd

from assay.evaluation.compare import ModelComparison
from assay.evaluation.figures import describe, in_words
from assay.metrics import METRICS, Difference, told_apart
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table, TextItem, Texts
from assay.storage import Snapshot

MOST_SLICES = 60


def comparison_table(comparison: ModelComparison) -> pd.DataFrame:
    """One row a metric, the primary one first, for the terminal."""
    primary = comparison.rubric.primary_metric
    order = [primary, *(name for name in METRICS if name != primary)]
    return pd.DataFrame(
        [
            {
                "": METRICS[name].title + (", primary" if name == primary else ""),
                "A": in_words(comparison.a[name]),
                "B": in_words(comparison.b[name]),
                "A is better by": gain_in_words(comparison.differences[name]),
                "A is": told_apart(comparison.differences[name]),
            }
            for name in order
        ]
    )


def gain_in_words(found: Difference) -> str:
    """`+0.031 (-0.002 to +0.064)`; the figure alone where there is no interval."""
    if found.value is None:
        return "undefined"
    if found.low is None or found.high is None:
        return f"{found.value:+.3f}"
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def comparison_report(
    comparison: ModelComparison, a: pd.DataFrame, b: pd.DataFrame, snapshot: Snapshot, names: tuple[str, str]
) -> Report:
    """The page: `a` and `b` are the Predictions compared, with `row`; `names` what the user called the models."""
    primary = comparison.rubric.primary_metric
    facts = {
        "documents neither has seen": f"{comparison.documents:,}",
        "of them to be kept": f"{comparison.positive:,}",
        f"{METRICS[primary].title}, A less B": gain_in_words(comparison.differences[primary]),
    }
    apart = told_apart(comparison.differences[primary]) != "not told apart"
    order = [primary, *(name for name in METRICS if name != primary)]
    found = [comparison.differences[name] for name in order]
    table = comparison_table(comparison)
    table.insert(4, "p", [difference.p for difference in found])
    table.insert(5, "p, corrected", [None, *(difference.p_holm for difference in found[1:])])
    blocks: list[Block] = [
        Table(pd.DataFrame({"": ["A", "B"], "model": names})),
        Facts(facts),
        Callout(comparison.sentence(), "good" if apart else "note"),
        Table(
            table,
            "In brackets: 95 % intervals by bootstrap over clusters, for differences paired on the same documents; "
            "above 0 A is better, also in errors. p: two-sided, by the paired bootstrap. The primary metric was named "
            f"beforehand; the {len(order) - 1} others are called better or worse only after Holm's correction.",
        ),
    ]
    decisions = Table(
        pd.DataFrame(comparison.decisions).rename(columns={"label": ""}),
        f"Documents by whether the label reaches the threshold ({comparison.rubric.keep_name}), and by who keeps them.",
    )
    lineage = pd.DataFrame([{"": name, " ": value} for name, value in comparison.lineage.items()])
    return Report(
        "Which of the two is better?",
        f"Rubric {comparison.rubric.name}, scale {comparison.rubric.low} to {comparison.rubric.high}, "
        f"{comparison.documents} documents in {comparison.clusters} clusters",
        [
            Section("How they compare", blocks),
            Section("What each would keep", [decisions]),
            Section("Slices", _slices(comparison)),
            Section("Where they disagree most", _disagreed(comparison, a, b, snapshot)),
            Section("Lineage", [Table(lineage)]),
        ],
    )


def _slices(comparison: ModelComparison) -> list[Block]:
    primary = comparison.rubric.primary_metric
    columns = list(dict.fromkeys(part.column for part in comparison.slices))
    ordered = sorted(comparison.slices, key=lambda part: (columns.index(part.column), not part.differences))
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            f"{METRICS[primary].title}, A less B": gain_in_words(part.differences[primary]) if part.differences else "",
            "p": part.differences[primary].p if part.differences else None,
        }
        for part in ordered[:MOST_SLICES]
    ]
    if not rows:
        return [Prose("There is none.")]
    caption = "Empty where there are too few documents. p is not corrected for the number of slices: a place to look."
    return [Table(pd.DataFrame(rows), caption)]


def _disagreed(comparison: ModelComparison, a: pd.DataFrame, b: pd.DataFrame, snapshot: Snapshot) -> list[Block]:
    if not comparison.disagreed:
        return [Prose("Nowhere: both expect the same label of every document.")]
    mine, theirs = (table.set_index("id", drop=False).loc[comparison.disagreed] for table in (a, b))
    items = []
    for one, other, text in zip(
        mine.itertuples(index=False), theirs.itertuples(index=False), snapshot.take(mine["row"]), strict=True
    ):
        off = abs(one.calibrated - one.label) - abs(other.calibrated - one.label)
        nearer = "both equally near" if off == 0 else f"{'A' if off < 0 else 'B'} is nearer"
        kept = {(True, True): "both keep it", (True, False): "only A keeps it", (False, True): "only B keeps it"}
        items.append(
            TextItem(
                f"label {one.label:g}: A expects {one.calibrated:.1f}, B {other.calibrated:.1f}",
                str(text),
                f"{nearer}, {kept.get((bool(one.keep), bool(other.keep)), 'neither keeps it')}; {describe(str(text))}; "
                f"{one.id}",
            )
        )
    return [Texts(items)]
