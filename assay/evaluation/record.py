"""The record of an evaluation: everything measured on one test part."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.cuts import CutRow
from assay.evaluation.learning import LearningCurve
from assay.gates import Verdict
from assay.metrics import Curves, Difference, Interval, PairAccuracy, Probabilities, Raters, Slice
from assay.rubric import Rubric
from assay.storage import only_known_fields

WORST = 12
"""Largest number of documents listed of each kind of error."""


@only_known_fields
@dataclass(frozen=True)
class Errors:
    """Ids of the documents to inspect first, at most 12 of each kind, the worst first."""

    farthest: list[str]
    """Documents with the largest difference of expected label and label."""
    false_keeps: list[str]
    """Documents that are kept although the label does not reach the threshold, by descending p_keep."""
    false_drops: list[str]
    """Documents that are dropped although the label reaches the threshold, by ascending p_keep."""

    @classmethod
    def of(cls, predictions: pd.DataFrame, rubric: Rubric) -> "Errors":
        """List the worst errors of a Predictions table."""
        positive = predictions["label"] >= rubric.threshold
        distance = (predictions["calibrated"] - predictions["label"]).abs()
        kept = predictions[predictions["keep"] & ~positive]
        dropped = predictions[~predictions["keep"] & positive]
        orders = (
            distance[distance > 0].sort_values(ascending=False, kind="stable"),
            kept["p_keep"].sort_values(ascending=False, kind="stable"),
            dropped["p_keep"].sort_values(kind="stable"),
        )
        return cls(*(predictions.loc[order.index[:WORST], "id"].tolist() for order in orders))


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on one test part.

    Read it with `parse_record`. Unknown fields are ignored: `assay evaluate` writes the source and the documents left
    out into the same file.
    """

    rubric: Rubric
    """Rubric of the labels."""
    documents: int
    """Number of test documents."""
    clusters: int
    """Number of their clusters of near-duplicates and groups."""
    positive: int
    """Number of documents whose label reaches the threshold."""
    metrics: dict[str, Interval]
    """Metric -> figure."""
    seeds: dict[str, list[float]] = field(default_factory=dict)
    """Metric -> its values for models that differ only in the training seed, this one first; empty if there is only
    this one. The intervals do not cover this variance."""
    baselines: dict[str, dict[str, Interval]] = field(default_factory=dict)
    """Baseline -> metric -> figure on the same documents."""
    gains: dict[str, dict[str, Difference]] = field(default_factory=dict)
    """Baseline -> metric -> difference of model and baseline on the same documents, with Holm's correction."""
    pairs: list[PairAccuracy] = field(default_factory=list)
    """Share of rightly ordered pairs by the distance of their labels, the smallest distance first."""
    slices: list[Slice] = field(default_factory=list)
    """Figures of each kind of documents."""
    read: float = 1.0
    """Share of the test part's tokens that the model read."""
    training: dict[str, float] = field(default_factory=dict)
    """Cost of training: `updates`, `tokens`, `seconds`, and if known `processor_seconds` over all processes and
    `joules`. For a cross-fitted model it includes its fold models, `fold_models` in number. `refit_seconds`: part of
    the seconds, for the fit to all labels; `learning_curve_seconds`: for that. Empty if the model was not trained in
    this run."""
    refit: int = 0
    """Documents that the model that ships was fitted to, after the measured one; 0 if the measured one ships."""
    learning: LearningCurve | None = None
    """What more labels would give; None if the model has no learning curve."""
    lineage: dict[str, str] = field(default_factory=dict)
    """Digests of what was measured: `model`, `snapshot`."""
    warnings: list[str] = field(default_factory=list)
    """Sentences for the reader of the figures."""
    raters: Raters | None = None
    """Agreement of the raters who made the labels; None if their ratings are unknown or too few."""
    cuts: list[CutRow] = field(default_factory=list)
    """Cuts for other targets; empty if the model has no curve."""
    curves: Curves | None = None
    """Data of the charts; None in evaluations written before they were kept."""
    probabilities: Probabilities | None = None
    """How far p_keep is a probability on documents like these; None in evaluations written before it was measured."""
    errors: Errors | None = None
    """Worst errors; None in evaluations written before they were kept."""
    gates: list[Verdict] = field(default_factory=list)
    """Verdicts of the gates; empty if no gate was run. A model that a gate refuses must not be promoted."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def values(self) -> dict[str, float]:
        """Return metric -> figure for the metrics that are defined."""
        return {name: interval.value for name, interval in self.metrics.items() if interval.value is not None}

    def seed_spread(self, name: str) -> float | None:
        """Return a metric's standard deviation over seeds (n - 1); None below two values, or if one is not finite."""
        values = [float(value) for value in self.seeds.get(name, []) if value is not None]
        if len(values) < 2 or not np.isfinite(values).all():
            return None
        # n - 1: the seeds are a sample of the seeds that could have been drawn.
        return float(np.std(values, ddof=1))

    def flat(self) -> dict[str, float]:
        """Return figures by name for a tracker: those of the model with their intervals, and those of the baselines."""
        figures = {f"test/{name}": value for name, value in self.values().items()}
        for name, interval in self.metrics.items():
            if interval.low is not None and interval.high is not None:
                figures |= {f"test/{name}_low": interval.low, f"test/{name}_high": interval.high}
        figures |= {f"test/{n}_seed_sd": spread for n in self.seeds if (spread := self.seed_spread(n)) is not None}
        for baseline, metrics in self.baselines.items():
            figures |= {f"{baseline}/{n}": i.value for n, i in metrics.items() if i.value is not None}
        return figures
