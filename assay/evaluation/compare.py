"""Compare two models on the same documents."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from assay.metrics import LEAST_SLICE, METRICS, Difference, Interval, Resampled, correct, paired_bootstrap, significance
from assay.rubric import Rubric
from assay.storage import only_known_fields

MOST_DISAGREED = 20
"""Largest number of documents listed on which the two models disagree."""


@only_known_fields
@dataclass(frozen=True)
class SliceDifference:
    """How much better the first model is on one kind of documents."""

    column: str
    """Name of the column for people, such as `genre` or `length`."""
    value: str
    """Value of the column that these documents share."""
    documents: int
    """Number of documents."""
    positive: int
    """Number of documents whose label reaches the threshold."""
    differences: dict[str, Difference] = field(default_factory=dict)
    """Metric -> difference, with Holm's correction within this slice, not over slices; empty below 20 documents."""


@dataclass(frozen=True)
class ModelComparison:
    """How much better model `a` is than model `b`.

    Estimand: differences of the metrics of these two models on documents like these. Method: paired bootstrap over
    clusters; p with Holm's correction over all metrics except the primary one. No interval and no p below 50 clusters.
    """

    rubric: Rubric
    """Rubric of model `a`; that of `b` has the same scale and threshold."""
    documents: int
    """Number of documents."""
    clusters: int
    """Number of their clusters of near-duplicates and groups."""
    positive: int
    """Number of documents whose label reaches the threshold."""
    a: dict[str, Interval]
    """Metric -> figure of model `a`."""
    b: dict[str, Interval]
    """Metric -> figure of model `b`."""
    differences: dict[str, Difference]
    """Metric -> how much better `a` is than `b`; positive means better, for errors too."""
    slices: list[SliceDifference]
    """Differences on each kind of documents."""
    decisions: list[dict[str, Any]]
    """Two rows, for labels that reach the threshold and for the others: documents kept by both, by one, by neither."""
    disagreed: list[str]
    """Ids of the documents whose expected labels differ most, at most 20."""
    lineage: dict[str, str] = field(default_factory=dict)
    """Digests of the two models and of the snapshot."""

    def sentence(self) -> str:
        """Return the result for the primary metric, and the metrics that differ after the correction, as sentences."""
        primary = self.rubric.primary_metric
        found = self.differences[primary]
        if found.value is None:
            return f"{METRICS[primary].title} is undefined on these documents."
        if found.low is None or found.p is None:
            return f"{METRICS[primary].title} differs by {found.value:+.3f}; too few documents for an interval."
        sentence = (
            f"A and B do not differ significantly in {METRICS[primary].title}"
            if (word := significance(found)) == "not significantly different"
            else f"A is {word} than B in {METRICS[primary].title}"
        )
        sentence += f": {found.value:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f}, p = {found.p:.3f}."
        for word in ("better", "worse"):
            names = [METRICS[n].title for n, d in self.differences.items() if n != primary and significance(d) == word]
            also = "also " if significance(found) == word else ""
            sentence += f" After Holm's correction A is {also}{word} in: {', '.join(names)}." if names else ""
        return sentence

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
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

    `slice_columns`: column of the tables -> its name for people; missing values belong to no slice. Raise InputError
    if the documents, their labels or their clusters differ.
    """
    one, other = (Resampled.of(table, rubric, seed=seed) for table in (a, b))
    mine, theirs = one.predictions, other.predictions
    differences = correct(one.minus(other), rubric.primary_metric)
    distance = (mine["calibrated"] - theirs["calibrated"]).abs()
    # Stable sort: of equal distances the order of the ids decides, so that two runs list the same documents.
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
            # By id: the rows of `b` may be in another order.
            same = by_id.loc[part["id"]].reset_index(drop=True)
            measured = correct(paired_bootstrap(part, same, rubric, resamples=500, seed=seed), rubric.primary_metric)
        positive = int((part["label"] >= rubric.threshold).sum())
        found.append(SliceDifference(title, str(value), len(part), positive, measured))
    return found
