"""What people see of an evaluation: the table at the end of a run, and the report."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.bootstrap import LEAST_CLUSTERS, Difference, Interval
from assay.evaluation.cuts import cut_blocks
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.gates import gate_sections
from assay.evaluation.holm import told_apart
from assay.evaluation.metrics import METRICS
from assay.evaluation.raters import Raters
from assay.evaluation.slices import LEAST_SLICE
from assay.labels import Leakage
from assay.language import identify_language
from assay.report import (
    Block,
    Callout,
    Facts,
    Figure,
    Prose,
    Report,
    Section,
    Table,
    TextItem,
    Texts,
    chart_calibration,
    chart_confusion,
    chart_intervals,
    chart_lines,
    chart_precision_recall,
    chart_score_by_label,
)
from assay.storage import Snapshot

NAMES = {"model": "this model", **BASELINE_NAMES}
SHOWN = ("f1", "average_precision", "precision", "recall", "qwk", "spearman", "mae", "macro_f1", "calibration_error")
SHORT = 5
QUARANTINED = 20
MOST_SMALL = 40
"""Slices shown that are too small to be measured."""


def in_words(interval: Interval) -> str:
    """`0.71 (0.62 to 0.79)`; the figure alone where there is no interval."""
    if interval.value is None:
        return "undefined"
    if interval.low is None or interval.high is None:
        return _two(interval.value)
    return f"{_two(interval.value)} ({_two(interval.low)} to {_two(interval.high)})"


def with_seeds(evaluation: Evaluation, name: str) -> str:
    """The model's figure in words, with the standard deviation over seeds where it is known: `…, seeds ± 0.012`."""
    spread = evaluation.seed_spread(name)
    return in_words(evaluation.metrics[name]) + ("" if spread is None else f", seeds ± {spread:.3f}")


def _figure(evaluation: Evaluation, system: str, metrics: Mapping[str, Interval], name: str) -> str:
    return with_seeds(evaluation, name) if system == "model" else in_words(metrics[name])


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def describe(text: str) -> str:
    """How long a document is, and in which language: `312 words, 1,940 characters, en`."""
    language = identify_language(text)
    return f"{len(text.split()):,} words, {len(text):,} characters, {language.code or 'no language'}"


def _systems(evaluation: Evaluation) -> dict[str, dict[str, Interval]]:
    order = [name for name in NAMES if name in evaluation.baselines]
    return {"model": evaluation.metrics, **{name: evaluation.baselines[name] for name in order}}


def summary_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a system, with the metrics of the kept class and the ranking; for the terminal and the Deck."""
    names = ("f1", "average_precision", "qwk", "spearman", "calibration_error")
    return pd.DataFrame(
        [
            {
                "": NAMES[system],
                **{METRICS[name].title: _figure(evaluation, system, metrics, name) for name in names},
            }
            for system, metrics in _systems(evaluation).items()
        ]
    )


def figures(evaluation: Evaluation) -> list[Block]:
    """The table of all metrics and systems, the primary one as a chart, and the gains over the baselines."""
    systems = _systems(evaluation)
    table = pd.DataFrame(
        [
            {
                "": METRICS[name].title + ("" if METRICS[name].higher_is_better else " (less is better)"),
                **{NAMES[system]: _figure(evaluation, system, metrics, name) for system, metrics in systems.items()},
            }
            for name in SHOWN
        ]
    )
    primary = evaluation.rubric.primary_metric
    known = {name: metrics[primary] for name, metrics in systems.items() if metrics[primary].value is not None}
    seeds = max((len(values) for values in evaluation.seeds.values()), default=0)
    blocks: list[Block] = [
        Table(
            table,
            f"The first four rows are about the kept class, {evaluation.rubric.keep_name}. In brackets: 95 % intervals "
            "by bootstrap over clusters of near-duplicates and groups."
            + (f" Seeds: standard deviation over {seeds} trainings that differ in the seed." if seeds > 1 else ""),
        )
    ]
    if known:
        blocks.append(
            Figure(
                chart_intervals(
                    [NAMES[name] for name in known],
                    [float(interval.value or 0) for interval in known.values()],
                    [interval.low for interval in known.values()],
                    [interval.high for interval in known.values()],
                    x=METRICS[primary].title,
                ),
                f"{METRICS[primary].title}, the primary metric of this rubric.",
            )
        )
    if evaluation.gains:
        rows = [
            {
                "compared with": NAMES[name],
                "gain": gains[primary].value,
                "from": gains[primary].low,
                "to": gains[primary].high,
                "p": gains[primary].p,
                "the model is": told_apart(gains[primary]),
            }
            for name, gains in evaluation.gains.items()
        ]
        blocks.append(Table(pd.DataFrame(rows), f"Gain in {METRICS[primary].title}, paired on the same documents."))
        strongest = min(evaluation.gains, key=lambda name: evaluation.gains[name][primary].value or 0)
        caption = f"The model beside {NAMES[strongest]}, the strongest of them: gains in all metrics."
        blocks.append(difference_table(evaluation.gains[strongest], primary, caption))
    return blocks


def _beside(evaluation: Evaluation) -> dict[str, str]:
    """The model's Spearman, and what it would be were the labels without noise."""
    if evaluation.raters is None or evaluation.raters.corrected is None:
        return {}
    return {
        "Spearman": in_words(evaluation.metrics["spearman"]),
        "Spearman without the labels' noise": in_words(evaluation.raters.corrected),
    }


def rater_blocks(raters: Raters) -> list[Block]:
    """How far those who made the labels agree, and what follows for the figures."""
    facts = {
        "reliability of one rating": in_words(raters.one),
        "of their mean": in_words(raters.mean),
        "most that a score can show": in_words(raters.ceiling),
    }
    if raters.corrected is not None:
        facts["Spearman without the labels' noise"] = in_words(raters.corrected)
    rows = [
        {
            "": f"{pair.one}, {pair.other}",
            "documents": pair.documents,
            "QWK": in_words(pair.qwk),
            "Spearman": in_words(pair.spearman),
        }
        for pair in raters.pairs
    ]
    return [
        Prose(" ".join(raters.sentences())),
        Facts(facts),
        Table(pd.DataFrame(rows), "Raters in pairs, on documents that both rated."),
    ]


def difference_table(differences: Mapping[str, Difference], primary: str, caption: str) -> Table:
    """All metrics of one comparison; above 0 is better, also in errors."""
    order = [primary, *(name for name in differences if name != primary)]
    rows = [
        {
            "": METRICS[name].title + (", primary" if name == primary else ""),
            "gain": (found := differences[name]).value,
            "from": found.low,
            "to": found.high,
            "p": found.p,
            "p, corrected": None if name == primary else found.p_holm,
            "the model is": told_apart(found),
        }
        for name in order
    ]
    return Table(
        pd.DataFrame(rows),
        f"{caption} Above 0 is better, also in errors. p: two-sided, by the paired bootstrap. The primary metric was "
        f"named beforehand; the {len(order) - 1} others are called better or worse only after Holm's correction.",
    )


def pair_table(evaluation: Evaluation) -> Table:
    """How often the score orders two documents rightly, by the distance of their labels."""
    rows = [
        {"labels differ by": f"{p.low:g} to {p.high:g}", "pairs": p.pairs, "ordered rightly": in_words(p.accuracy)}
        for p in evaluation.pairs
    ]
    return Table(
        pd.DataFrame(rows),
        "Of pairs of test documents whose labels differ by so much, the share that the score puts in their order; "
        "equal scores count half, and 0.50 is chance.",
    )


def _charts(evaluation: Evaluation, predictions: pd.DataFrame) -> list[Block]:
    precision, recall = evaluation.metrics["precision"].value, evaluation.metrics["recall"].value
    point = (recall, precision) if precision is not None and recall is not None else None
    blocks: list[Block] = [
        Figure(
            chart_score_by_label(predictions["label"].to_numpy(), predictions["score"].to_numpy()),
            "Score by label: each point a test document; bars are quartiles.",
        )
    ]
    if evaluation.pairs:
        blocks.append(pair_table(evaluation))
    curves = evaluation.curves
    if curves is None:
        return blocks
    blocks += [
        Figure(
            chart_precision_recall({"this model": (curves.recall, curves.precision)}, point),
            f"Precision and recall of the kept class, {evaluation.rubric.keep_name}.",
        ),
        Figure(
            chart_calibration(curves.predicted, curves.observed, curves.observed_low, curves.observed_high),
            "Calibration: of documents with about the same p_keep, the share whose label reaches the threshold. "
            "Bars are 95 % Wilson intervals.",
        ),
    ]
    if curves.confusion:
        names = [str(grade) for grade in evaluation.rubric.grades]
        blocks.append(Figure(chart_confusion(np.array(curves.confusion), names), "Labels by grades."))
    return blocks


def slice_blocks(evaluation: Evaluation) -> list[Block]:
    """Each slice with its support; figures where it is large enough, intervals where it has clusters enough."""
    if not evaluation.slices:
        return [Prose("There is none.")]
    # Small ones stand below the others of their column; of many, as sites are, only the largest are shown.
    columns = list(dict.fromkeys(part.column for part in evaluation.slices))
    ordered = sorted(evaluation.slices, key=lambda part: (columns.index(part.column), not part.metrics))
    small = sorted((part for part in ordered if not part.metrics), key=lambda part: -part.documents)
    left_out = {id(part) for part in small[MOST_SMALL:]}
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            **{
                METRICS[name].title: in_words(part.metrics[name]) if part.metrics else ""
                for name in ("f1", "average_precision", "spearman")
            },
        }
        for part in ordered
        if id(part) not in left_out
    ]
    caption = f"No figures below {LEAST_SLICE} documents, no intervals below {LEAST_CLUSTERS} clusters."
    if left_out:
        caption += f" {len(left_out):,} slices that are smaller still are not shown."
    return [Table(pd.DataFrame(rows), caption)]


def _errors(evaluation: Evaluation, predictions: pd.DataFrame, snapshot: Snapshot) -> list[Block]:
    if evaluation.errors is None:
        return []
    kinds = {
        "The expected label is farthest from the label.": evaluation.errors.farthest,
        "Kept, though the label does not reach the threshold; the surest first.": evaluation.errors.false_keeps[:SHORT],
        "Dropped, though the label reaches the threshold; the surest first.": evaluation.errors.false_drops[:SHORT],
    }
    by_id = predictions.set_index("id", drop=False)
    blocks: list[Block] = []
    for title, ids in kinds.items():
        chosen = by_id.loc[ids]
        texts = snapshot.take(chosen["row"])
        items = [
            TextItem(
                f"label {row.label:g}, expected {row.calibrated:.1f}",
                str(text),
                f"score {row.score:.2f}, grade {row.grade}, p_keep {row.p_keep:.2f}; {describe(str(text))}; {row.id}",
            )
            for row, text in zip(chosen.itertuples(index=False), texts, strict=True)
        ]
        blocks += [Prose(f"**{title}**"), Texts(items) if items else Prose("None.")]
    return blocks


def _data(documents: pd.DataFrame, assignment: pd.DataFrame, quarantine: pd.DataFrame, leakage: Leakage) -> list[Block]:
    merged = documents.merge(assignment, on="id")
    merged["label"] = np.floor(merged["label"] + 0.5).astype(int)
    counts = merged.pivot_table(index="part", columns="label", values="id", aggfunc="count", fill_value=0)
    counts = counts.reindex([part for part in ("train", "calibration", "test", "set_aside") if part in counts.index])
    counts.columns = [f"label {level}" for level in counts.columns]
    level = {"none": "good", "some": "warn", "severe": "bad"}[leakage.severity]
    blocks: list[Block] = [
        Callout(leakage.sentence(), level),  # type: ignore[arg-type]
        Table(counts.reset_index(), "Documents of each part by label."),
    ]
    return [*blocks, *_quarantined(quarantine)]


def _quarantined(quarantine: pd.DataFrame) -> list[Block]:
    if quarantine.empty:
        return [Prose("No row was quarantined.")]
    reasons = quarantine["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
    return [
        Table(reasons, "Rows that could not be used, by reason."),
        Table(quarantine.head(QUARANTINED), f"The first {min(QUARANTINED, len(quarantine))} of them."),
    ]


def _training(curve: pd.DataFrame) -> list[Block]:
    window = max(1, len(curve) // 20)
    smooth = curve["loss"].rolling(window, min_periods=1).mean()
    tokens, seconds = curve["tokens"].sum(), curve["seconds"].sum()
    return [
        Facts(
            {
                "updates": f"{len(curve):,}",
                "passes": f"{curve['epoch'].max():.0f}",
                "tokens": f"{tokens:,.0f}",
                "tokens a second": f"{tokens / seconds:,.0f}",
                "padding": f"{(curve['padding'] * curve['tokens']).sum() / tokens:.1%}",
            }
        ),
        Figure(
            chart_lines({"loss": (curve["epoch"].to_numpy(), smooth.to_numpy())}, x="passes", y="loss", name="loss"),
            f"Weighted mean of the documents' losses, mean of {window} updates.",
        ),
    ]


def evaluation_report(
    evaluation: Evaluation,
    predictions: pd.DataFrame,
    snapshot: Snapshot,
    *,
    documents: pd.DataFrame | None = None,
    assignment: pd.DataFrame | None = None,
    quarantine: pd.DataFrame | None = None,
    curve: pd.DataFrame | None = None,
    leakage: Leakage | None = None,
) -> Report:
    """The report of a training run; without what only such a run knows, that of an evaluation elsewhere."""
    primary = evaluation.rubric.primary_metric
    sections = [
        Section(
            "How good is it?",
            [
                Facts(
                    {
                        "F1 of the kept class": with_seeds(evaluation, "f1"),
                        METRICS[primary].title: with_seeds(evaluation, primary),
                        **_beside(evaluation),
                        "kept from": evaluation.rubric.keep_name,
                        "test documents": f"{evaluation.documents:,}",
                        "of them to be kept": f"{evaluation.positive:,}",
                        "read": f"{evaluation.read:.0%} of the tokens",
                    }
                ),
                *[Callout(warning, "warn") for warning in evaluation.warnings],
                *figures(evaluation),
            ],
        ),
        *([Section("How far do the raters agree?", rater_blocks(evaluation.raters))] if evaluation.raters else []),
        Section("What the scores look like", _charts(evaluation, predictions)),
        *([Section("Where else to cut", cut_blocks(evaluation.cuts, evaluation.rubric))] if evaluation.cuts else []),
        Section("Slices", slice_blocks(evaluation)),
        *gate_sections(evaluation.gates),
    ]
    if documents is not None and assignment is not None and quarantine is not None and leakage is not None:
        sections.append(Section("Data and split", _data(documents, assignment, quarantine, leakage)))
    elif quarantine is not None:
        sections.append(Section("Data", _quarantined(quarantine)))
    if curve is not None and len(curve):
        sections.append(Section("Training", _training(curve)))
    sections.append(Section("Worst errors", _errors(evaluation, predictions, snapshot)))
    lineage = pd.DataFrame([{"": name, " ": value} for name, value in evaluation.lineage.items()])
    sections.append(Section("Lineage", [Table(lineage)]))
    return Report(
        "How good is this classifier?",
        f"Rubric {evaluation.rubric.name}, scale {evaluation.rubric.low} to {evaluation.rubric.high}, "
        f"{evaluation.documents} test documents in {evaluation.clusters} clusters",
        sections,
    )
