"""Two models beside each other on the same documents."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from assay.metrics import LEAST_SLICE, METRICS, Difference, Interval, Resampled, correct, paired_bootstrap, told_apart
from assay.rubric import Rubric

MOST_DISAGREED = 20
"""Documents listed on which the two disagree."""


@dataclass(frozen=True)
class SliceDifference:
    """One kind of documents: how much better the first model is there."""

    column: str
    value: str
    documents: int
    positive: int
    """With a label that reaches the threshold."""
    differences: dict[str, Difference] = field(default_factory=dict)
    """Corrected within this slice, not over slices; empty where it is too small to be measured."""


@dataclass(frozen=True)
class ModelComparison:
    """How much better model `a` is than model `b`.

    Estimand: differences of the metrics of these very models on documents like these. Method: paired bootstrap over
    clusters; p corrected by Holm over all metrics but the primary one. No interval and no p below 50 clusters.
    """

    rubric: Rubric
    documents: int
    clusters: int
    positive: int
    """Documents whose label reaches the threshold."""
    a: dict[str, Interval]
    b: dict[str, Interval]
    differences: dict[str, Difference]
    """Metric -> a beside b; above 0 a is better, also in errors."""
    slices: list[SliceDifference]
    decisions: list[dict[str, Any]]
    """By whether the label reaches the threshold: how many both keep, only one, neither."""
    disagreed: list[str]
    """Ids of the documents whose expected labels differ most, at most 20."""
    lineage: dict[str, str] = field(default_factory=dict)

    def sentence(self) -> str:
        """For people: the word on the primary metric, and on those that survive the correction."""
        primary = self.rubric.primary_metric
        found = self.differences[primary]
        if found.value is None:
            return f"{METRICS[primary].title} is undefined on these documents."
        if found.low is None or found.p is None:
            return f"{METRICS[primary].title} differs by {found.value:+.3f}; too few documents to say more."
        said = (
            f"A and B are not told apart by {METRICS[primary].title}"
            if (word := told_apart(found)) == "not told apart"
            else f"A is {word} than B in {METRICS[primary].title}"
        )
        said += f": {found.value:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f}, p = {found.p:.3f}."
        for word in ("better", "worse"):
            names = [METRICS[n].title for n, d in self.differences.items() if n != primary and told_apart(d) == word]
            also = "also " if told_apart(found) == word else ""
            said += f" After Holm's correction A is {also}{word} in: {', '.join(names)}." if names else ""
        return said

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "sentence": self.sentence()}


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    rubric: Rubric,
    *,
    slice_columns: Mapping[str, str] | None = None,
    lineage: Mapping[str, str] | None = None,
    seed: int = 0,
) -> ModelComparison:
    """Compare two Predictions tables of the same documents.

    `slice_columns`: column of the tables -> its name for people; missing values belong to no slice. Raises InputError
    where the documents, their labels or their clusters differ.
    """
    one, other = (Resampled.of(table, rubric, seed=seed) for table in (a, b))
    mine, theirs = one.predictions, other.predictions
    differences = correct(one.minus(other), rubric.primary_metric)
    distance = (mine["calibrated"] - theirs["calibrated"]).abs()
    apart = distance[distance > 0].sort_values(ascending=False, kind="stable").index[:MOST_DISAGREED]
    positive = mine["label"] >= rubric.threshold
    return ModelComparison(
        rubric=rubric,
        documents=len(mine),
        clusters=int(mine["cluster"].nunique()),
        positive=int(positive.sum()),
        a=one.intervals(),
        b=other.intervals(),
        differences=differences,
        slices=[
            part
            for column, title in (slice_columns or {}).items()
            for part in _slices(a, b, column, title, rubric, seed)
        ],
        decisions=[
            {
                "label": name,
                "both keep": int((which & mine["keep"] & theirs["keep"]).sum()),
                "only A": int((which & mine["keep"] & ~theirs["keep"]).sum()),
                "only B": int((which & ~mine["keep"] & theirs["keep"]).sum()),
                "neither": int((which & ~mine["keep"] & ~theirs["keep"]).sum()),
            }
            for name, which in (("reaches the threshold", positive), ("does not", ~positive))
        ],
        disagreed=mine.loc[apart, "id"].tolist(),
        lineage=dict(lineage or {}),
    )


def _slices(
    a: pd.DataFrame, b: pd.DataFrame, column: str, title: str, rubric: Rubric, seed: int
) -> list[SliceDifference]:
    found, by_id = [], b.set_index("id", drop=False)
    for value, part in a.groupby(column, sort=False, observed=True):
        measured: dict[str, Difference] = {}
        if len(part) >= LEAST_SLICE:
            same = by_id.loc[part["id"]].reset_index(drop=True)
            measured = correct(paired_bootstrap(part, same, rubric, resamples=500, seed=seed), rubric.primary_metric)
        positive = int((part["label"] >= rubric.threshold).sum())
        found.append(SliceDifference(title, str(value), len(part), positive, measured))
    return found
