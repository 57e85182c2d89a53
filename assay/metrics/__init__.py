"""Metrics, their bootstrap intervals over clusters, and Holm's correction for many metrics."""

from assay.metrics.bootstrap import (
    Difference,
    Interval,
    Resampled,
    bootstrap_figures,
    paired_bootstrap,
)
from assay.metrics.cautious import cautious_difference
from assay.metrics.curves import Curves
from assay.metrics.enough import FEW_POSITIVE, LEAST_CLUSTERS, refusals
from assay.metrics.holm import correct, significance
from assay.metrics.metrics import BINS, METRICS, Outcomes, measure, rank_correlation, weighted_kappa
from assay.metrics.pairs import PairAccuracy, pair_accuracy
from assay.metrics.probabilities import Probabilities
from assay.metrics.raters import Raters, measure_raters, read_ratings
from assay.metrics.slices import LEAST_SLICE, Slice, slices
from assay.metrics.tables import BaselinePredictions, Predictions
from assay.metrics.weighting import INCLUSION, corpus_weights

__all__ = [
    "BINS",
    "FEW_POSITIVE",
    "INCLUSION",
    "LEAST_CLUSTERS",
    "LEAST_SLICE",
    "METRICS",
    "BaselinePredictions",
    "Curves",
    "Difference",
    "Interval",
    "Outcomes",
    "PairAccuracy",
    "Predictions",
    "Probabilities",
    "Raters",
    "Resampled",
    "Slice",
    "bootstrap_figures",
    "cautious_difference",
    "corpus_weights",
    "correct",
    "measure",
    "measure_raters",
    "pair_accuracy",
    "paired_bootstrap",
    "rank_correlation",
    "read_ratings",
    "refusals",
    "significance",
    "slices",
    "weighted_kappa",
]
