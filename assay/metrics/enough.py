"""The smallest numbers of clusters and documents for an interval, and the reason if there is none."""

import numpy as np
import pandas as pd

from assay.metrics.metrics import METRICS
from assay.metrics.weighting import corpus_weights
from assay.proportions import effective_clusters
from assay.rubric import Rubric

LEAST_CLUSTERS = 50
"""Smallest number of effective clusters for an interval."""
# Simulated coverage of a nominal 95 %: at 30 clusters 83-86 % for average precision, 91-98 % for the others; at 60
# clusters 90-92 % and 93-97 %; at 200 clusters 93-96 % for all. The calibration error is not among them: its interval
# is biased upwards, as the figure itself is.
LEAST_POSITIVE = 8
"""Smallest number of effective clusters of positive documents for an interval of a metric of the kept class."""
FEW_POSITIVE = 40
"""Effective clusters of positive documents below which the interval of average precision covers less than it states."""
# Simulated coverage (`benchmarks.promises`): 85 to 94 % with 8 and 10, 92 to 93 % with 20, 91 to 94 % with 40.
LEAST_KEPT = 5
"""Smallest number of effective clusters of kept documents for an interval of precision or F1."""
OF_THE_KEPT_CLASS = ("f1", "precision", "recall", "average_precision")
OF_KEPT_DOCUMENTS = ("f1", "precision")


def refusals(predictions: pd.DataFrame, rubric: Rubric) -> dict[str, str]:
    """Return metric -> reason why a Predictions table is too small for its interval."""
    positive = predictions["label"] >= rubric.threshold
    # A document that stands for many is not worth many: Kish's effective size, by the weights too.
    cluster, weight = predictions["cluster"].to_numpy(), corpus_weights(predictions)
    every, reaching, kept = (
        effective_clusters(cluster[of], weight[of])
        for of in (
            np.ones(len(predictions), bool),
            positive.to_numpy(bool),
            predictions["keep"].to_numpy(bool),
        )
    )
    found: dict[str, str] = {}
    for metrics, what, count, least in (
        (METRICS, "", every, LEAST_CLUSTERS),
        (OF_THE_KEPT_CLASS, " of documents that reach the threshold", reaching, LEAST_POSITIVE),
        (OF_KEPT_DOCUMENTS, " of kept documents", kept, LEAST_KEPT),
    ):
        if count < least - 1e-6:
            # Rounded down: 49.8 are not the 50 that are needed.
            reason = f"{int(count + 1e-6)} effective clusters{what}; an interval needs {least}"
            found |= {name: reason for name in metrics if name not in found}
    return found
