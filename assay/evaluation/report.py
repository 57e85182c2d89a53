"""The report of an evaluation."""

import numpy as np
import pandas as pd

from assay.evaluation.cuts import cut_blocks
from assay.evaluation.figures import (
    beside,
    describe,
    figures,
    pair_table,
    rater_blocks,
    refit_blocks,
    seeds_in_words,
    slice_blocks,
)
from assay.evaluation.learning import learning_blocks
from assay.evaluation.record import Evaluation
from assay.gates import gate_sections
from assay.labels import Leakage
from assay.metrics import METRICS
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
    chart_lines,
    chart_precision_recall,
    chart_score_by_label,
)
from assay.storage import Snapshot
from assay.training import OF_A_PART, SHIPPED

SHORT = 5
"""Largest number of false keeps and of false drops shown."""
QUARANTINED = 20
"""Largest number of quarantined rows shown."""


def _charts(evaluation: Evaluation, predictions: pd.DataFrame) -> list[Block]:
    precision, recall = evaluation.metrics["precision"].value, evaluation.metrics["recall"].value
    point = (recall, precision) if precision is not None and recall is not None else None
    blocks: list[Block] = [
        Figure(
            chart_score_by_label(predictions["label"].to_numpy(), predictions["score"].to_numpy()),
            "Score by label. Each point is a test document; bars are quartiles.",
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
            "Calibration: share of documents with about the same p_keep whose label reaches the threshold. Bars are "
            "exact 95 % intervals.",
        ),
    ]
    if evaluation.probabilities is not None:
        share = evaluation.positive / evaluation.documents
        blocks.append(
            Prose(
                f"p_keep on documents like these, {share:.1%} of which reach the threshold: "
                f"{evaluation.probabilities.in_words()}. Right are slope 1, intercept 0 and observed over expected 1. "
                "Among documents of which another share reaches the threshold, p_keep is no probability."
            )
        )
    if curves.confusion:
        names = [str(grade) for grade in evaluation.rubric.grades]
        blocks.append(Figure(chart_confusion(np.array(curves.confusion), names), "Documents by label and grade."))
    return blocks


def _errors(evaluation: Evaluation, predictions: pd.DataFrame, snapshot: Snapshot) -> list[Block]:
    if evaluation.errors is None:
        return []
    worst = evaluation.errors
    kinds = {
        "Largest difference of expected label and label.": worst.farthest,
        "Kept, although the label does not reach the threshold; highest p_keep first.": worst.false_keeps[:SHORT],
        "Dropped, although the label reaches the threshold; lowest p_keep first.": worst.false_drops[:SHORT],
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
    # In the order in which the parts are used, not in alphabetical order.
    counts = counts.reindex([part for part in ("train", "calibration", "test", "set_aside") if part in counts.index])
    counts.columns = [f"label {level}" for level in counts.columns]
    level = {"none": "good", "some": "warn", "severe": "bad"}[leakage.severity]
    blocks: list[Block] = [
        Callout(leakage.sentence(), level),  # type: ignore[arg-type]
        Table(counts.reset_index(), "Documents of each part, by label."),
    ]
    return [*blocks, *_quarantined(quarantine)]


def _quarantined(quarantine: pd.DataFrame) -> list[Block]:
    if quarantine.empty:
        return [Prose("No row was quarantined.")]
    reasons = quarantine["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
    return [
        Table(reasons, "Quarantined rows, by reason."),
        Table(quarantine.head(QUARANTINED), f"The first {min(QUARANTINED, len(quarantine))} quarantined rows."),
    ]


def _training(curve: pd.DataFrame) -> list[Block]:
    # Fold 0 is the model that was measured; the losses of the others would be drawn over it.
    own = curve[curve["fold"] == 0] if "fold" in curve else curve
    # Smoothed over a twentieth of the updates: the loss of single batches is noisy.
    window = max(1, len(own) // 20)
    smooth = own["loss"].rolling(window, min_periods=1).mean()
    tokens, seconds = curve["tokens"].sum(), curve["seconds"].sum()
    others = {}
    if "fold" in curve:
        counts = {
            "updates of models for calibration": int((curve["fold"] > 0).sum()),
            "updates of the model that ships": int((curve["fold"] == SHIPPED).sum()),
            "updates of the learning curve": int((curve["fold"] == OF_A_PART).sum()),
        }
        others = {name: f"{count:,}" for name, count in counts.items() if count}
    return [
        Facts(
            {
                "updates": f"{len(own):,}",
                "passes": f"{own['epoch'].max():.0f}",
                **others,
                "tokens": f"{tokens:,.0f}",
                "tokens per second": f"{tokens / seconds:,.0f}",
                "padding": f"{(curve['padding'] * curve['tokens']).sum() / tokens:.1%}",
            }
        ),
        Figure(
            chart_lines({"loss": (own["epoch"].to_numpy(), smooth.to_numpy())}, x="passes", y="loss", name="loss"),
            f"Weighted mean of the documents' losses, moving average over {window} updates.",
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
    """Return the report of a training run, or, without `documents` and the like, of an evaluation elsewhere.

    `documents` (LabelledDocument), `assignment` (SplitAssignment), `quarantine` (Quarantined), `curve` (Curve) and
    `leakage` are those of the training run.
    """
    primary = evaluation.rubric.primary_metric
    sections = [
        Section(
            "Figures",
            [
                Facts(
                    {
                        "F1 of the kept class": seeds_in_words(evaluation, "f1"),
                        METRICS[primary].title: seeds_in_words(evaluation, primary),
                        **beside(evaluation),
                        "kept from": evaluation.rubric.keep_name,
                        "test documents": f"{evaluation.documents:,}",
                        "of them to be kept": f"{evaluation.positive:,}",
                        "read": f"{evaluation.read:.0%} of the tokens",
                        **({"twice the labels": evaluation.learning.headline()} if evaluation.learning else {}),
                    }
                ),
                *refit_blocks(evaluation),
                *[Callout(warning, "warn") for warning in evaluation.warnings],
                *figures(evaluation),
            ],
        ),
        *([Section("Agreement of the raters", rater_blocks(evaluation.raters))] if evaluation.raters else []),
        Section("Scores", _charts(evaluation, predictions)),
        *([Section("More labels", learning_blocks(evaluation.learning))] if evaluation.learning else []),
        *([Section("Other cuts", cut_blocks(evaluation.cuts, evaluation.rubric))] if evaluation.cuts else []),
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
        "Evaluation of the classifier",
        f"Rubric {evaluation.rubric.name}, scale {evaluation.rubric.low} to {evaluation.rubric.high}, "
        f"{evaluation.documents} test documents in {evaluation.clusters} clusters",
        sections,
    )
