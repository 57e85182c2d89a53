"""Weighted rank correlations and cross-fitted ridges, with which the shortcut gate explains a score."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FloatArray = NDArray[np.float64]
FOLDS = 5
ALPHAS = tuple(float(10.0**power) for power in range(-1, 5))
MOST_KINDS = 20
"""Largest number of values of a column with a dummy variable of their own; the rarer ones share one."""


def dummies(values: pd.Series) -> FloatArray:
    """Return dummy variables of a column, shape (n, kinds). A missing value is a kind of its own."""
    names = values.fillna("").astype(str)
    common = names.value_counts().index[:MOST_KINDS]
    return pd.get_dummies(names.where(names.isin(common), "other")).to_numpy(float)


def cross_fitted(x: FloatArray, y: FloatArray, clusters: NDArray[np.int64]) -> FloatArray:
    """Return predictions of y, shape (n,), by ridges that were not fitted on the document's cluster."""
    ridge = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    return np.asarray(cross_val_predict(ridge, x, y, groups=clusters, cv=GroupKFold(FOLDS)), float)


def rank_correlations(dense: NDArray[np.int64], weight: FloatArray) -> FloatArray:
    """Return the rank correlations of k columns, shape (k, k); nan if a column does not vary.

    `dense`: dense ranks from 0, shape (k, n). `weight`: how often each document counts, shape (n,).
    """
    ranks = np.empty(dense.shape)
    for row, column in enumerate(dense):
        counts = np.bincount(column, weight)
        ranks[row] = (np.cumsum(counts) - counts / 2)[column]
    ranks -= (ranks @ weight)[:, None] / weight.sum()
    covariance = (ranks * weight) @ ranks.T
    spread = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread[:, None] * spread[None, :] > 1e-9, covariance / np.outer(spread, spread), np.nan)


def partial_correlation(ab: float, ac: float, bc: float) -> float:
    """Return the correlation of a and b given c, from their three correlations."""
    rest = (1 - ac**2) * (1 - bc**2)
    # If c determines a or b, nothing of them is left to correlate.
    return float((ab - ac * bc) / np.sqrt(rest)) if rest > 1e-9 else float("nan")


def r_squared(y: FloatArray, predicted: FloatArray, weight: FloatArray) -> float:
    """Return R² of the predictions, shape (n,), if documents count `weight` times; nan if y does not vary."""
    mean = (weight * y).sum() / weight.sum()
    total = (weight * (y - mean) ** 2).sum()
    return float(1 - (weight * (y - predicted) ** 2).sum() / total) if total > 1e-12 else float("nan")
