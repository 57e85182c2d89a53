"""What documents in clusters are worth, at every cut of a curve, in independent documents."""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.proportions import Clustered

FloatArray: TypeAlias = NDArray[np.float64]


def clustered_worth(clusters: NDArray[np.int64], reaches: NDArray[np.bool_], ends: NDArray[np.int64]) -> dict[str, Any]:
    """Return the fields of a curve that tell what its documents are worth, of documents in the order of their scores.

    `ends`: places of the last document of each point. Empty if each document is a cluster of its own.
    """
    _, cluster = np.unique(clusters, return_inverse=True)
    if cluster.max() + 1 == len(cluster):
        return {}
    found = pd.Series(reaches.astype(float))
    by_cluster = found.groupby(cluster)
    # Documents and positive ones of the same cluster before each document: the sums over clusters grow by differences.
    n, y = by_cluster.cumcount().to_numpy(float), (by_cluster.cumsum() - found).to_numpy()
    positive, of_cluster = found.to_numpy(), np.bincount(cluster, reaches)
    right, yy = np.cumsum(positive), np.cumsum(positive * (2 * y + 1))
    kept = Clustered(
        right,
        np.arange(1, len(n) + 1, dtype=float),
        yy,
        np.cumsum((n + 1) * (y + positive) - n * y),
        np.cumsum(2 * n + 1),
        np.cumsum(n == 0).astype(float),
    )
    every = np.ones(len(n))
    recalled = Clustered(
        right,
        every * right[-1],
        yy,
        np.cumsum(positive * of_cluster[cluster]),
        every * (of_cluster**2).sum(),
        every * (of_cluster > 0).sum(),
    )
    # The design effect of a share near 1 rests on a few failures, and comes out too small when they happen to be few:
    # by itself it broke 6 to 8 % of the promised recalls. So it never falls from cuts in the middle to those at an end.
    worth = recalled.effective_trials
    middle = int(np.argmax(right >= right[-1] / 2))
    worth[middle:] = np.minimum.accumulate(worth[middle:])
    return {
        "kept_worth": _plain(_smoothed(kept)[ends]),
        "kept_clusters": _plain(kept.effective_clusters[ends]),
        "positive_worth": _plain(worth[ends]),
        "positive_clusters": _plain(recalled.effective_clusters[-1:])[0],
    }


def _smoothed(kept: Clustered) -> FloatArray:
    """Return what the kept documents are worth, with a correlation that never falls towards the strictest cut."""
    own, beyond = kept.effective_trials, kept.nn / kept.trials - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(beyond > 0.05, (kept.trials / own - 1) / beyond, 0.0)
    largest = np.maximum.accumulate(np.clip(correlation, 0, 1)[::-1])[::-1]
    return np.minimum(own, kept.trials / (1 + np.maximum(beyond, 0) * largest))


def _plain(values: FloatArray) -> tuple[float, ...]:
    # Rounded down: a promise must not rest on a decimal that another machine computes differently.
    return tuple((np.floor(values * 100 + 1e-6) / 100).tolist())
