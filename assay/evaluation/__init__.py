"""How good a model is, against what, with intervals, in words; and what its scores mean."""

from assay.evaluation.baselines import BASELINE_NAMES, baseline_scores
from assay.evaluation.bootstrap import Difference, Interval, bootstrap, paired_bootstrap
from assay.evaluation.calibrate import calibrate
from assay.evaluation.card import finish_model_folder, model_card
from assay.evaluation.evaluate import Errors, Evaluation, evaluate
from assay.evaluation.metrics import METRICS, Curves, Metric, Outcomes, measure
from assay.evaluation.present import evaluation_report, summary_table
from assay.evaluation.run import Evaluated, evaluate_baselines, evaluate_model, require_metric, require_slices
from assay.evaluation.slices import Slice
from assay.evaluation.tables import BaselinePredictions, Predictions

__all__ = [
    "BASELINE_NAMES",
    "METRICS",
    "BaselinePredictions",
    "Curves",
    "Difference",
    "Errors",
    "Evaluated",
    "Evaluation",
    "Interval",
    "Metric",
    "Outcomes",
    "Predictions",
    "Slice",
    "baseline_scores",
    "bootstrap",
    "calibrate",
    "evaluate",
    "evaluate_baselines",
    "evaluate_model",
    "evaluation_report",
    "finish_model_folder",
    "measure",
    "model_card",
    "paired_bootstrap",
    "require_metric",
    "require_slices",
    "summary_table",
]
