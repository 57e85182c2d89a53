"""The metrics of one kind of documents at a time, if there are enough of that kind."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.bootstrap import Interval, bootstrap
from assay.proportions import effective_clusters
from assay.rubric import Rubric
from assay.storage import only_known_fields

LEAST_SLICE = 20
"""Smallest number of documents for the metrics of a slice."""


@only_known_fields
@dataclass(frozen=True)
class Slice:
    """One kind of test documents."""

    column: str
    """Name of the column for people, such as `genre` or `length`."""
    value: str
    """Value of the column that these documents share."""
    documents: int
    """Number of documents."""
    positive: int
    """Number of documents whose label reaches the threshold."""
    metrics: dict[str, Interval] = field(default_factory=dict)
    """Metric -> figure; empty below 20 documents."""
    offset: float | None = None
    """Mean label minus mean expected label, of these documents, in labels; None below 20 documents."""
    shrunk: float | None = None
    """The same, drawn towards the mean of the slices of its column: what is to be expected of further documents of this
    kind. None below 20 documents, and for a column with fewer than two slices of that size."""


def slices(predictions: pd.DataFrame, column: str, title: str, rubric: Rubric, *, seed: int = 0) -> list[Slice]:
    """Return a slice for each value of a column of a Predictions table, in the order of the table.

    `title` is the column's name for people. Missing values belong to no slice.
    """
    found: list[Slice] = []
    errors: list[float] = []
    for value, part in predictions.groupby(column, sort=False, observed=True):
        measured = bootstrap(part, rubric, resamples=500, seed=seed) if len(part) >= LEAST_SLICE else {}
        positive = int((part["label"] >= rubric.threshold).sum())
        off, error = _offset(part) if measured else (None, np.nan)
        found.append(Slice(title, str(value), len(part), positive, measured, off))
        errors.append(error)
    known = [number for number, each in enumerate(found) if each.offset is not None and np.isfinite(errors[number])]
    if len(known) > 1:
        drawn = shrink(np.array([found[number].offset for number in known], float), np.array(errors)[known])
        for number, value in zip(known, drawn, strict=True):
            found[number] = replace(found[number], shrunk=float(value))
    return found


def _offset(part: pd.DataFrame) -> tuple[float, float]:
    """Return the mean of label minus expected label and its standard error, as of as many documents as clusters.

    The documents of a cluster are taken for equal: two clusters do not tell how equal they are.
    """
    off = part["label"] - part["calibrated"]
    count = effective_clusters(part["cluster"].to_numpy())
    return float(off.mean()), float(off.std(ddof=1) / np.sqrt(count))


def shrink(value: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with standard errors, both of shape (n,), n above 1, drawn towards their weighted mean.

    Each by the share of the error in its variance; the variance of the true values is that of DerSimonian and Laird
    ("Meta-analysis in clinical trials", 1986). Values that differ no more than their errors become equal.
    """
    weight = 1 / np.maximum(error, 1e-9) ** 2
    mean = (weight @ value) / weight.sum()
    excess = weight @ (value - mean) ** 2 - (len(value) - 1)
    between = max(0.0, excess / (weight.sum() - (weight**2).sum() / weight.sum()))
    if between == 0:
        return np.full(len(value), mean)
    both = 1 / (between + 1 / weight)
    center = (both @ value) / both.sum()
    return np.asarray(center + (value - center) * between * both)
