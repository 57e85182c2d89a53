"""How good a model is on documents it never saw, against what, and what is to be said about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.bootstrap import (
    LEAST_CLUSTERS,
    LEAST_POSITIVE,
    Difference,
    Interval,
    Resampled,
    bootstrap,
)
from assay.evaluation.metrics import METRICS
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


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on one test part."""

    rubric: Rubric
    documents: int
    clusters: int
    positive: int
    """Documents whose label reaches the threshold."""
    metrics: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]] = field(default_factory=dict)
    gains: dict[str, dict[str, Difference]] = field(default_factory=dict)
    """Baseline -> metric -> by how much the model is better on the same documents."""
    slices: list[Slice] = field(default_factory=list)
    read: float = 1.0
    """Share of the test part's tokens that the model read."""
    lineage: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """In plain words, for the reader of the figures."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def values(self) -> dict[str, float]:
        """Metric -> figure, those that are defined."""
        return {name: interval.value for name, interval in self.metrics.items() if interval.value is not None}

    def flat(self) -> dict[str, float]:
        """Figures under one name each, for a tracker: the model's with their intervals, and the baselines'."""
        figures = {f"test/{name}": value for name, value in self.values().items()}
        for name, interval in self.metrics.items():
            if interval.low is not None and interval.high is not None:
                figures |= {f"test/{name}_low": interval.low, f"test/{name}_high": interval.high}
        for baseline, metrics in self.baselines.items():
            figures |= {f"{baseline}/{n}": i.value for n, i in metrics.items() if i.value is not None}
        return figures


def evaluate(
    predictions: pd.DataFrame,
    rubric: Rubric,
    *,
    baselines: Mapping[str, pd.DataFrame] | None = None,
    slice_columns: Mapping[str, str] | None = None,
    read: float = 1.0,
    lineage: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure a Predictions table.

    `baselines`: Predictions of others on the same documents. `slice_columns`: column of the table -> its name for
    people; missing values belong to no slice.
    """
    mine = Resampled.of(predictions, rubric, seed=seed)
    others = {name: Resampled.of(table, rubric, seed=seed) for name, table in (baselines or {}).items()}
    positive = int((predictions["label"] >= rubric.threshold).sum())
    evaluation = Evaluation(
        rubric=rubric,
        documents=len(predictions),
        clusters=int(predictions["cluster"].nunique()),
        positive=positive,
        metrics=mine.intervals(),
        baselines={name: other.intervals() for name, other in others.items()},
        gains={name: mine.minus(other) for name, other in others.items()},
        slices=[
            part
            for column, title in (slice_columns or {}).items()
            for part in _slices(predictions, column, title, rubric, seed)
        ],
        read=read,
        lineage=dict(lineage or {}),
    )
    evaluation.warnings.extend(_warnings(evaluation))
    return evaluation


def _slices(predictions: pd.DataFrame, column: str, title: str, rubric: Rubric, seed: int) -> list[Slice]:
    slices = []
    for value, part in predictions.groupby(column, sort=False, observed=True):
        measured = bootstrap(part, rubric, resamples=500, seed=seed) if len(part) >= LEAST_SLICE else {}
        positive = int((part["label"] >= rubric.threshold).sum())
        slices.append(Slice(title, str(value), len(part), positive, measured))
    return slices


def _warnings(evaluation: Evaluation) -> list[str]:
    """What a careful reader would ask about."""
    said = []
    primary = evaluation.rubric.primary_metric
    shown = evaluation.metrics["f1"]
    kept = f"{evaluation.positive} with {evaluation.rubric.keep_name}"
    if evaluation.clusters < LEAST_CLUSTERS:
        said.append(
            f"{evaluation.documents} test documents in {evaluation.clusters} clusters are too few for intervals: "
            f"at least {LEAST_CLUSTERS} clusters are needed."
        )
    elif evaluation.positive < LEAST_POSITIVE:
        said.append(
            f"Only {evaluation.positive} of {evaluation.documents} test documents reach the threshold: "
            "the figures of the kept class have no interval."
        )
    elif shown.value is not None and shown.low is not None and shown.high is not None and shown.high - shown.low > 0.1:
        said.append(
            f"With {evaluation.documents} test documents ({kept}) the intervals are wide: "
            f"the F1 of {shown.value:.2f} may be anything from {shown.low:.2f} to {shown.high:.2f}."
        )
    for baseline, gains in evaluation.gains.items():
        gain, name = gains[primary], BASELINE_NAMES.get(baseline, baseline)
        if gain.low is None or gain.high is None or gain.low > 0:
            continue
        verdict = "worse than" if gain.high < 0 else "not better beyond doubt than"
        said.append(
            f"The model is {verdict} {name}: {METRICS[primary].title} differs by {gain.value:+.3f}, "
            f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}."
        )
    if evaluation.read < 0.95:
        said.append(
            f"The model read {evaluation.read:.0%} of the test documents' tokens; "
            "whoever labelled them may have read more."
        )
    undefined = [METRICS[name].title for name, interval in evaluation.metrics.items() if interval.value is None]
    if undefined:
        said.append(f"Undefined on this test part: {', '.join(undefined)}.")
    return said
