"""An interval that decides something: the wider of two, because the usual one promises a little too much."""

from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from assay.metrics.bootstrap import Difference, Resampled
from assay.metrics.metrics import METRICS


def cautious_difference(one: Resampled, other: Resampled, metric: str, level: float = 0.95) -> Difference:
    """By how much `one` is better than `other` in a metric, with an interval that a decision may rest on.

    Estimand, population and sample as in `Resampled.minus`. Method: at either end the farther of the percentile
    bootstrap's quantile and the figure less (or plus) Student's t times the standard deviation over the resamples. With
    few clusters the percentile bootstrap alone calls one of two equal models better a little too often: of 1,500
    simulated test sets in 2.9 % (average precision) and 2.8 % (F1) at 60 clusters, and in 2.8 % and 2.7 % at 100, where
    2.5 % are stated; this interval in 0.8 % and 1.6 %, and in 1.4 % and 2.0 %. None below 50 clusters.
    """
    found = one.minus(other, level)[metric]
    if found.value is None or found.low is None or found.high is None:
        return found
    sign = 1 if METRICS[metric].higher_is_better else -1
    drawn = sign * (one.drawn[metric] - other.drawn[metric])
    spread = float(np.std(drawn[np.isfinite(drawn)], ddof=1))
    clusters = int(one.predictions["cluster"].nunique())
    reach = float(student.ppf((1 + level) / 2, clusters - 1)) * spread
    return replace(found, low=min(found.low, found.value - reach), high=max(found.high, found.value + reach))
