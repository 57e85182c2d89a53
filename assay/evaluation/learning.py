"""What more labels would give, from models that were fitted to a part of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics import METRICS, Interval, Resampled
from assay.report import Block, Figure, Prose, Table, chart_lines
from assay.rubric import Rubric
from assay.training import Points

SHOWN = ("spearman", "average_precision")
"""Metrics that read the order of the scores alone: the models of the points were not calibrated."""


@dataclass(frozen=True)
class LearningCurve:
    """Figures of models that differ in the number of documents that they were fitted to; the last is the measured one.

    `twice` is the gain by twice the documents: the slope of the least-squares line through the points over the binary
    logarithm of their documents. Its interval is that of the same slope over resamples of the clusters of the test
    part. It does not cover which documents were drawn for a point, nor the seed of its training.
    """

    documents: list[int]
    """Documents of each point, in rising order."""
    points: dict[str, list[Interval]]
    """Metric -> its figure at each point."""
    twice: dict[str, Interval]
    """Metric -> gain by twice the documents of the last point."""

    @classmethod
    def of(
        cls, predictions: pd.DataFrame, found: Points | None, rubric: Rubric, *, seed: int = 0
    ) -> "LearningCurve | None":
        """Measure the points on the documents of a Predictions table. Return None if there are no other points."""
        if found is None:
            return None
        scores = found.scores
        sizes = [*sorted(scores), found.documents]
        tables = [predictions.assign(score=predictions["id"].map(scores[size])) for size in sizes[:-1]]
        measured = [Resampled.of(table, rubric, seed=seed, metrics=SHOWN) for table in [*tables, predictions]]
        x = np.log2(sizes) - np.log2(sizes).mean()
        weight = x / (x**2).sum()  # the slope of the line is linear in the figures
        points, twice = {}, {}
        for name in SHOWN:
            ends = [each.intervals()[name] for each in measured]
            values = np.array([np.nan if end.value is None else end.value for end in ends])
            points[name], slope, low, high = ends, float(weight @ values), None, None
            if all(end.low is not None for end in ends):
                drawn = weight @ np.stack([each.drawn[name] for each in measured])
                low, high = (float(end) for end in np.nanquantile(drawn, [0.025, 0.975]))
            twice[name] = Interval(slope if np.isfinite(slope) else None, low, high, len(predictions))
        return cls(sizes, points, twice)

    def headline(self) -> str:
        """Return what twice the labels would give the order of the scores: `Spearman +0.04 (+0.01 to +0.06)`."""
        return f"{METRICS[SHOWN[0]].title} {_gain(self.twice[SHOWN[0]])}"

    def in_words(self) -> str:
        """Return what twice the labels would give: `Spearman +0.04 (+0.01 to +0.06), …`."""
        gains = [f"{METRICS[name].title} {_gain(self.twice[name])}" for name in SHOWN]
        return f"{', '.join(gains)}, by a line through {len(self.documents)} points"


def _gain(gain: Interval) -> str:
    if gain.value is None:
        return "undefined"
    if gain.low is None or gain.high is None:
        return f"{gain.value:+.3f}"
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def learning_blocks(curve: LearningCurve) -> list[Block]:
    """Return the learning curve as a sentence, a table and a chart."""
    rows = [
        {"documents": size, **{METRICS[name].title: curve.points[name][at].in_words() for name in SHOWN}}
        for at, size in enumerate(curve.documents)
    ]
    lines = {
        METRICS[name].title: (
            np.log2(curve.documents),
            np.array([np.nan if point.value is None else point.value for point in curve.points[name]]),
        )
        for name in SHOWN
    }
    return [
        Prose(
            f"Twice the labels would give {curve.in_words()}. Where that is more than other settings gain, label; "
            "where its interval reaches below 0, more labels of this kind are not shown to help. In brackets: 95 % "
            "intervals over the clusters of the test part. They do not cover which documents were drawn for a point, "
            "nor the seed. A curve flattens at some size, so that the line promises too much rather than too little."
        ),
        Table(pd.DataFrame(rows), "Models of the same settings, fitted to a part of the documents drawn at random."),
        Figure(
            chart_lines(lines, x="binary logarithm of the documents", y="figure", name="learning"),
            "Each point is one model.",
        ),
    ]
