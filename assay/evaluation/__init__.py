"""How good a model is, against what, with intervals, in words; and what its scores mean."""

from assay.evaluation.baselines import baseline_scores, evaluate_baselines
from assay.evaluation.card import finish_model_folder
from assay.evaluation.compare import SliceDifference
from assay.evaluation.comparison_report import comparison_table, gain_in_words
from assay.evaluation.elsewhere import common_rubric, compare_models, evaluate_elsewhere
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.examine import examine
from assay.evaluation.figures import in_words, summary_table
from assay.evaluation.run import predict, require_metric, require_raters, require_slices
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
    "gain_in_words",
    "in_words",
    "measure_seed",
    "of_other_seeds",
    "predict",
    "require_metric",
    "require_raters",
    "require_slices",
    "summary_table",
]
