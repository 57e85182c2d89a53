"""How good a model is, against what, with intervals, in words; and what its scores mean."""

from assay.evaluation.baselines import BASELINE_NAMES, baseline_scores
from assay.evaluation.bootstrap import Difference, Interval, bootstrap, paired_bootstrap
from assay.evaluation.calibrate import calibrate
from assay.evaluation.card import finish_model_folder, model_card
from assay.evaluation.compare import Comparison, compare
from assay.evaluation.counterfactuals import CounterfactualLimits, Reader, keywords, measure_counterfactuals
from assay.evaluation.evaluate import Errors, Evaluation, evaluate, with_raters, with_training
from assay.evaluation.examine import Examined, examine
from assay.evaluation.gates import (
    GateLimits,
    gate_sections,
    refusals,
    run_gates,
    run_gates_elsewhere,
    with_gates,
)
from assay.evaluation.holm import correct, holm, told_apart
from assay.evaluation.judgement import Candidate, Judgement, Rule
from assay.evaluation.latency import Latency, latency_sample, measure_latency
from assay.evaluation.leak import LeakLimits, compare_splits, find_straddling, leak_verdict
from assay.evaluation.limits import limit_names, read_limits
from assay.evaluation.metrics import METRICS, Curves, Metric, Outcomes, measure
from assay.evaluation.pairs import PairAccuracy, pair_accuracy
from assay.evaluation.present import evaluation_report
from assay.evaluation.present_comparison import comparison_report, comparison_table
from assay.evaluation.present_figures import summary_table
from assay.evaluation.present_promotion import promotion_report, promotion_sections, rules_table
from assay.evaluation.promotion_evidence import Evidence
from assay.evaluation.promotion_gate import judge
from assay.evaluation.promotion_limits import PromotionLimits, read_promotion_limits
from assay.evaluation.raters import RaterPair, Raters, measure_raters, read_ratings
from assay.evaluation.run import (
    Evaluated,
    Predicted,
    evaluate_baselines,
    evaluate_model,
    predict,
    require_metric,
    require_raters,
    require_slices,
)
from assay.evaluation.seeds import measure_seed, of_other_seeds, with_seeds
from assay.evaluation.shortcuts import ShortcutLimits, measure_shortcuts
from assay.evaluation.slices import Slice
from assay.evaluation.tables import BaselinePredictions, Predictions
from assay.evaluation.test_set import Use, UseLog, Wear, decisions, digest_ids
from assay.evaluation.verdict import Verdict

__all__ = [
    "BASELINE_NAMES",
    "METRICS",
    "BaselinePredictions",
    "Candidate",
    "Comparison",
    "CounterfactualLimits",
    "Curves",
    "Difference",
    "Errors",
    "Evaluated",
    "Evaluation",
    "Evidence",
    "Examined",
    "GateLimits",
    "Interval",
    "Judgement",
    "Latency",
    "LeakLimits",
    "Metric",
    "Outcomes",
    "PairAccuracy",
    "Predicted",
    "Predictions",
    "PromotionLimits",
    "RaterPair",
    "Raters",
    "Reader",
    "Rule",
    "ShortcutLimits",
    "Slice",
    "Use",
    "UseLog",
    "Verdict",
    "Wear",
    "baseline_scores",
    "bootstrap",
    "calibrate",
    "compare",
    "compare_splits",
    "comparison_report",
    "comparison_table",
    "correct",
    "decisions",
    "digest_ids",
    "evaluate",
    "evaluate_baselines",
    "evaluate_model",
    "evaluation_report",
    "examine",
    "find_straddling",
    "finish_model_folder",
    "gate_sections",
    "holm",
    "judge",
    "keywords",
    "latency_sample",
    "leak_verdict",
    "limit_names",
    "measure",
    "measure_counterfactuals",
    "measure_latency",
    "measure_raters",
    "measure_seed",
    "measure_shortcuts",
    "model_card",
    "of_other_seeds",
    "pair_accuracy",
    "paired_bootstrap",
    "predict",
    "promotion_report",
    "promotion_sections",
    "read_limits",
    "read_promotion_limits",
    "read_ratings",
    "refusals",
    "require_metric",
    "require_raters",
    "require_slices",
    "rules_table",
    "run_gates",
    "run_gates_elsewhere",
    "summary_table",
    "told_apart",
    "with_gates",
    "with_raters",
    "with_seeds",
    "with_training",
]
