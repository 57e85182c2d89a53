"""What people see of a comparison of two models."""

import pandas as pd

from assay.evaluation.bootstrap import Difference
from assay.evaluation.compare import Comparison
from assay.evaluation.holm import told_apart
from assay.evaluation.metrics import METRICS
from assay.evaluation.present import describe, difference_table, in_words
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table, TextItem, Texts
from assay.storage import Snapshot

MOST_SLICES = 60


def comparison_table(comparison: Comparison) -> pd.DataFrame:
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
    comparison: Comparison, a: pd.DataFrame, b: pd.DataFrame, snapshot: Snapshot, names: tuple[str, str]
) -> Report:
    """The page: `a` and `b` are the Predictions compared, with `row`; `names` what the user called the models."""
    primary = comparison.rubric.primary_metric
    facts = {
        "model A": names[0],
        "model B": names[1],
        "documents neither has seen": f"{comparison.documents:,}",
        "of them to be kept": f"{comparison.positive:,}",
        f"{METRICS[primary].title}, A less B": gain_in_words(comparison.differences[primary]),
    }
    apart = told_apart(comparison.differences[primary]) != "not told apart"
    blocks: list[Block] = [
        Facts(facts),
        Callout(comparison.sentence(), "good" if apart else "note"),
        Table(comparison_table(comparison), "In brackets: 95 % intervals by bootstrap over clusters."),
        difference_table(comparison.differences, primary, "A beside B, paired on the same documents.", who="A is"),
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


def _slices(comparison: Comparison) -> list[Block]:
    primary = comparison.rubric.primary_metric
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            f"{METRICS[primary].title}, A less B": gain_in_words(part.differences[primary]) if part.differences else "",
            "p": part.differences[primary].p if part.differences else None,
        }
        for part in sorted(comparison.slices, key=lambda part: not part.differences)[:MOST_SLICES]
    ]
    if not rows:
        return [Prose("There is none.")]
    caption = "Empty where there are too few documents. p is not corrected for the number of slices: a place to look."
    return [Table(pd.DataFrame(rows), caption)]


def _disagreed(comparison: Comparison, a: pd.DataFrame, b: pd.DataFrame, snapshot: Snapshot) -> list[Block]:
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
