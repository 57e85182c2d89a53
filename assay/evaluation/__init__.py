"""Evaluation of a model: figures with intervals, baselines, seeds, comparison of two models, report and card."""

from assay.evaluation.baselines import baseline_scores, evaluate_baselines
from assay.evaluation.card import finish_model_folder
from assay.evaluation.checks import require_metric, require_raters, require_slices
from assay.evaluation.compare import SliceDifference
from assay.evaluation.compare_models import common_rubric, compare_models
from assay.evaluation.comparison_report import comparison_table
from assay.evaluation.elsewhere import evaluate_elsewhere
from assay.evaluation.examine import examine
from assay.evaluation.figures import summary_table
from assay.evaluation.predict import predict
from assay.evaluation.record import Evaluation
from assay.evaluation.seeds import measure_seed, of_other_seeds

__all__ = [
    "Evaluation",
    "SliceDifference",
    "baseline_scores",
    "common_rubric",
    "compare_models",
    "comparison_table",
    "evaluate_baselines",
    "evaluate_elsewhere",
    "examine",
    "finish_model_folder",
    "measure_seed",
    "of_other_seeds",
    "predict",
    "require_metric",
    "require_raters",
    "require_slices",
    "summary_table",
]
