"""The same figures for one kind of documents at a time, where there are enough of that kind."""

from dataclasses import dataclass, field

import pandas as pd

from assay.metrics.bootstrap import Interval, bootstrap
from assay.rubric import Rubric

LEAST_SLICE = 20
"""Documents from which a slice is measured."""


@dataclass(frozen=True)
class Slice:
    """One kind of test documents."""

    column: str
    value: str
    documents: int
    positive: int
    """With a label that reaches the threshold."""
    metrics: dict[str, Interval] = field(default_factory=dict)
    """Empty where the slice is too small to be measured."""


def slices(predictions: pd.DataFrame, column: str, title: str, rubric: Rubric, *, seed: int = 0) -> list[Slice]:
    """A slice for each value of a column of a Predictions table, in the order of the table.

    `title` is the column's name for people. Missing values belong to no slice.
    """
    found = []
    for value, part in predictions.groupby(column, sort=False, observed=True):
        measured = bootstrap(part, rubric, resamples=500, seed=seed) if len(part) >= LEAST_SLICE else {}
        positive = int((part["label"] >= rubric.threshold).sum())
        found.append(Slice(title, str(value), len(part), positive, measured))
    return found
