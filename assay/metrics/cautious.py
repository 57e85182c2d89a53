"""The interval for decisions: the wider of two, because the percentile bootstrap alone covers a little too little."""

from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from assay.metrics.bootstrap import Difference, Resampled
from assay.metrics.metrics import METRICS


def cautious_difference(one: Resampled, other: Resampled, metric: str, level: float = 0.95) -> Difference:
    """Return by how much `one` is better than `other` in a metric, with an interval for decisions.

    Estimand, population and sample are those of `Resampled.minus`. Method: at each end, the farther of two values: the
    quantile of the percentile bootstrap, and the figure minus or plus Student's t times the standard deviation over the
    resamples. No interval below 50 clusters. Raise InputError as `Resampled.minus` does.
    """
    # With few clusters the percentile bootstrap alone calls one of two equal models better too often. Of 1,500
    # simulated test sets: 2.9 % (average precision) and 2.8 % (F1) at 60 clusters, 2.8 % and 2.7 % at 100, against a
    # nominal 2.5 %. This interval: 0.8 % and 1.6 % at 60 clusters, 1.4 % and 2.0 % at 100.
    found = one.minus(other, level)[metric]
    if found.value is None or found.low is None or found.high is None:
        return found
    sign = 1 if METRICS[metric].higher_is_better else -1
    drawn = sign * (one.drawn[metric] - other.drawn[metric])
    spread = float(np.std(drawn[np.isfinite(drawn)], ddof=1))
    clusters = int(one.predictions["cluster"].nunique())
    reach = float(student.ppf((1 + level) / 2, clusters - 1)) * spread
    return replace(found, low=min(found.low, found.value - reach), high=max(found.high, found.value + reach))
