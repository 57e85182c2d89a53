"""The table and the report of a comparison of two models."""

from collections.abc import Sequence

import pandas as pd

from assay.evaluation.compare import ModelComparison
from assay.evaluation.figures import describe
from assay.metrics import METRICS, significance
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table, TextItem, Texts
from assay.storage import Snapshot

MOST_SLICES = 60
"""Largest number of slices shown."""


def comparison_table(comparison: ModelComparison) -> pd.DataFrame:
    """Return one row per metric, the primary metric first, for the terminal."""
    primary = comparison.rubric.primary_metric
    order = [primary, *(name for name in METRICS if name != primary)]
    return pd.DataFrame(
        [
            {
                "": METRICS[name].title + (", primary" if name == primary else ""),
                "A": comparison.a[name].in_words(),
                "B": comparison.b[name].in_words(),
                "A is better by": comparison.differences[name].in_words(),
                "A is": significance(comparison.differences[name]),
            }
            for name in order
        ]
    )


def comparison_report(
    comparison: ModelComparison,
    a: pd.DataFrame,
    b: pd.DataFrame,
    snapshot: Snapshot,
    names: tuple[str, str],
    *,
    notes: Sequence[str] = (),
) -> Report:
    """Return the report. `a`, `b`: the compared Predictions, with `row`. `names`: the models as the user wrote them.

    `notes`: sentences on the documents that were left out.
    """
    primary = comparison.rubric.primary_metric
    facts = {
        "documents that neither has seen": f"{comparison.documents:,}",
        "of them to be kept": f"{comparison.positive:,}",
        f"{METRICS[primary].title}, A less B": comparison.differences[primary].in_words(),
    }
    apart = significance(comparison.differences[primary]) != "not significantly different"
    order = [primary, *(name for name in METRICS if name != primary)]
    found = [comparison.differences[name] for name in order]
    table = comparison_table(comparison)
    table.insert(4, "p", [difference.p for difference in found])
    table.insert(5, "p, corrected", [None, *(difference.p_holm for difference in found[1:])])
    blocks: list[Block] = [
        Table(pd.DataFrame({"": ["A", "B"], "model": names})),
        Facts(facts),
        Callout(comparison.sentence(), "good" if apart else "note"),
        *(Callout(note, "note") for note in notes),
        Table(
            table,
            "In brackets: 95 % intervals by bootstrap over clusters, paired on the same documents for differences. "
            "Positive means that A is better, for errors too. p: two-sided, by the paired bootstrap. The primary "
            f"metric was fixed beforehand; the other {len(order) - 1} are called better or worse only after Holm's "
            "correction.",
        ),
    ]
    decisions = Table(
        pd.DataFrame(comparison.decisions).rename(columns={"label": ""}),
        f"Documents by the models that keep them. The threshold is {comparison.rubric.keep_name}.",
    )
    lineage = pd.DataFrame([{"": name, " ": value} for name, value in comparison.lineage.items()])
    return Report(
        "Comparison of two models",
        f"Rubric {comparison.rubric.name}, scale {comparison.rubric.low} to {comparison.rubric.high}, "
        f"{comparison.documents} documents in {comparison.clusters} clusters",
        [
            Section("Comparison", blocks),
            Section("Decisions", [decisions]),
            Section("Slices", _slices(comparison)),
            Section("Largest disagreements", _disagreed(comparison, a, b, snapshot)),
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
            f"{METRICS[primary].title}, A less B": part.differences[primary].in_words() if part.differences else "",
            "p": part.differences[primary].p if part.differences else None,
        }
        for part in ordered[:MOST_SLICES]
    ]
    if not rows:
        return [Prose("No slices.")]
    caption = "Empty if there are too few documents. p is not corrected for the number of slices: use it as a hint."
    return [Table(pd.DataFrame(rows), caption)]


def _disagreed(comparison: ModelComparison, a: pd.DataFrame, b: pd.DataFrame, snapshot: Snapshot) -> list[Block]:
    if not comparison.disagreed:
        return [Prose("None: both models expect the same label for every document.")]
    mine, theirs = (table.set_index("id", drop=False).loc[comparison.disagreed] for table in (a, b))
    items = []
    for one, other, text in zip(
        mine.itertuples(index=False), theirs.itertuples(index=False), snapshot.take(mine["row"]), strict=True
    ):
        # Nearer to the label: the models may disagree with each other and both be wrong.
        off = abs(one.calibrated - one.label) - abs(other.calibrated - one.label)
        nearer = "both are equally near" if off == 0 else f"{'A' if off < 0 else 'B'} is nearer"
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
