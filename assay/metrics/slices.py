"""The metrics of one kind of documents at a time, if there are enough of that kind."""

from dataclasses import dataclass, field

import pandas as pd

from assay.metrics.bootstrap import Interval, bootstrap
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


def slices(predictions: pd.DataFrame, column: str, title: str, rubric: Rubric, *, seed: int = 0) -> list[Slice]:
    """Return a slice for each value of a column of a Predictions table, in the order of the table.

    `title` is the column's name for people. Missing values belong to no slice.
    """
    found = []
    for value, part in predictions.groupby(column, sort=False, observed=True):
        measured = bootstrap(part, rubric, resamples=500, seed=seed) if len(part) >= LEAST_SLICE else {}
        positive = int((part["label"] >= rubric.threshold).sum())
        found.append(Slice(title, str(value), len(part), positive, measured))
    return found
