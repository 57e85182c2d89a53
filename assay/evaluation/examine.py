"""Examine a model after training, by one of its rubrics: evaluation, gates, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from assay.evaluation.baselines import encoder_alone
from assay.evaluation.evaluate import with_gates, with_training
from assay.evaluation.learning import LearningCurve
from assay.evaluation.record import Evaluation
from assay.evaluation.report import evaluation_report
from assay.evaluation.run import evaluate_model
from assay.evaluation.seeds import with_seeds
from assay.gates import GateLimits, run_gates
from assay.labels import Leakage, SplitSet, part_of
from assay.model import ModelInfo
from assay.progress import say
from assay.report import Report
from assay.training import read_learning


@dataclass(frozen=True)
class Examined:
    """An evaluation with verdicts, the predictions behind it, and the report on both."""

    evaluation: Evaluation
    """Record of the evaluation, with the verdicts of the gates."""
    predictions: pd.DataFrame
    """Predictions table, with `row` of the snapshot and the columns of the slices."""
    report: Report
    """Report on the evaluation, the data and the training."""


def examine(
    model: Path,
    of: SplitSet,
    *,
    baselines: pd.DataFrame,
    quarantine: pd.DataFrame,
    curve: pd.DataFrame,
    leakage: Leakage,
    slice_by: Sequence[str] = (),
    rater_columns: Sequence[str] = (),
    limits: GateLimits | None = None,
    seeds: Sequence[Mapping[str, float]] = (),
    seed: int = 0,
) -> Examined:
    """Measure the calibrated model on the test part of a set, and run the gates.

    `baselines` (BaselinePredictions), `quarantine` (Quarantined), `curve` (Curve) and `leakage`: those of its run.
    `seeds`: metrics of models of other seeds. `seed` draws the documents that the gates change. `slice_by` and
    `rater_columns`: columns of the snapshot. Raise InputError as `evaluate_model` and `run_gates` do.
    """
    part = part_of(of.documents, of.assignment, "test")
    if ModelInfo.read(model).kind == "hybrid":
        baselines = pd.concat([baselines, encoder_alone(model, of)], ignore_index=True)
    result = evaluate_model(
        model, of.snapshot, part, baselines, of.rubric, slice_by=slice_by, rater_columns=rater_columns
    )
    verdicts = run_gates(
        model,
        of.snapshot,
        of.documents,
        of.assignment,
        result.predictions,
        of.rubric,
        columns=slice_by,
        limits=limits or GateLimits(),
        seed=seed,
    )
    for verdict in verdicts:
        say(verdict.sentence())
    learning = LearningCurve.of(result.predictions, read_learning(model, of.rubric.name), of.rubric)
    evaluation = replace(result.evaluation, learning=learning)
    evaluation = with_training(with_seeds(with_gates(evaluation, verdicts), seeds), curve)
    report = evaluation_report(
        evaluation,
        result.predictions,
        of.snapshot,
        documents=of.documents,
        assignment=of.assignment,
        quarantine=quarantine,
        curve=curve,
        leakage=leakage,
    )
    return Examined(evaluation, result.predictions, report)
