"""How good a model is on documents it never saw, against what, and what is to be said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from assay.errors import InputError
from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.cuts import CutRow
from assay.gates import (
    Verdict,
    refusals,
)
from assay.metrics import (
    LEAST_CLUSTERS,
    LEAST_POSITIVE,
    METRICS,
    Curves,
    Difference,
    Interval,
    Outcomes,
    PairAccuracy,
    Raters,
    Resampled,
    Slice,
    correct,
    measure_raters,
    pair_accuracy,
    slices,
    told_apart,
)
from assay.rubric import Rubric

WORST = 12
"""Documents listed of each kind of error."""
WIDE = 0.1
"""Width of the F1's interval from which the reader is told."""


@dataclass(frozen=True)
class Errors:
    """Ids of the documents to look at first, the worst of each kind first; at most 12 of a kind."""

    farthest: list[str]
    """Largest difference of expected label and label."""
    false_keeps: list[str]
    """Kept though the label does not reach the threshold, by falling p_keep."""
    false_drops: list[str]
    """Not kept though it does, by rising p_keep."""

    @classmethod
    def of(cls, predictions: pd.DataFrame, rubric: Rubric) -> "Errors":
        """Of a Predictions table."""
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
    """Everything measured on one test part."""

    rubric: Rubric
    documents: int
    clusters: int
    positive: int
    """Documents whose label reaches the threshold."""
    metrics: dict[str, Interval]
    seeds: dict[str, list[float]] = field(default_factory=dict)
    """Metric -> its values for models that differ in the seed of training alone, this one first; empty where there is
    no other. What the intervals, which are about this very model, leave out."""
    baselines: dict[str, dict[str, Interval]] = field(default_factory=dict)
    gains: dict[str, dict[str, Difference]] = field(default_factory=dict)
    """Baseline -> metric -> by how much the model is better on the same documents; corrected for so many metrics."""
    pairs: list[PairAccuracy] = field(default_factory=list)
    """By the distance of the labels, the smallest first."""
    slices: list[Slice] = field(default_factory=list)
    read: float = 1.0
    """Share of the test part's tokens that the model read."""
    training: dict[str, float] = field(default_factory=dict)
    """What it cost to train: `updates`, `tokens`, `seconds`, and where they are known `processor_seconds` over all
    processes and `joules`; of a cross-fitted one, with those of its `fold_models`, so many. Empty where the model was
    not trained in this run."""
    lineage: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """In plain words, for the reader of the figures."""
    raters: Raters | None = None
    """How far those who made the labels agree; None where their ratings are not known, or too few."""
    cuts: list[CutRow] = field(default_factory=list)
    """What other targets would keep; empty where the model keeps no curve."""
    curves: Curves | None = None
    errors: Errors | None = None
    gates: list[Verdict] = field(default_factory=list)
    """Empty where none was asked; a model that one refuses is not to be promoted."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Evaluation":
        """The inverse of `to_json`; what others have added beside its fields is left out.

        Raises InputError where it is no evaluation.
        """
        known = {name: given[name] for name in (entry.name for entry in fields(cls)) if name in given}
        try:
            return cls(
                **{
                    **known,
                    "rubric": Rubric(**known["rubric"]),
                    "metrics": _intervals(known["metrics"]),
                    "baselines": {name: _intervals(of) for name, of in known.get("baselines", {}).items()},
                    "gains": {
                        baseline: {name: Difference(**gain) for name, gain in gains.items()}
                        for baseline, gains in known.get("gains", {}).items()
                    },
                    "pairs": [
                        PairAccuracy(**{**entry, "accuracy": Interval(**entry["accuracy"])})
                        for entry in known.get("pairs", [])
                    ],
                    "slices": [
                        Slice(**{**part, "metrics": _intervals(part["metrics"])}) for part in known.get("slices", [])
                    ],
                    "raters": Raters.from_json(known["raters"]) if known.get("raters") else None,
                    "cuts": [CutRow.from_json(row) for row in known.get("cuts", [])],
                    "curves": Curves(**known["curves"]) if known.get("curves") else None,
                    "errors": Errors(**known["errors"]) if known.get("errors") else None,
                    "gates": [Verdict.from_json(verdict) for verdict in known.get("gates", [])],
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"this evaluation cannot be read: {error!r}", fix="Give one that `assay evaluate` wrote"
            ) from error

    def values(self) -> dict[str, float]:
        """Metric -> figure, those that are defined."""
        return {name: interval.value for name, interval in self.metrics.items() if interval.value is not None}

    def seed_spread(self, name: str) -> float | None:
        """Standard deviation (n - 1) of a metric over seeds; None below two, or where one has no figure."""
        values = [float(value) for value in self.seeds.get(name, []) if value is not None]
        if len(values) < 2 or not np.isfinite(values).all():
            return None
        return float(np.std(values, ddof=1))

    def flat(self) -> dict[str, float]:
        """Figures under one name each, for a tracker: the model's with their intervals, and the baselines'."""
        figures = {f"test/{name}": value for name, value in self.values().items()}
        for name, interval in self.metrics.items():
            if interval.low is not None and interval.high is not None:
                figures |= {f"test/{name}_low": interval.low, f"test/{name}_high": interval.high}
        figures |= {f"test/{n}_seed_sd": spread for n in self.seeds if (spread := self.seed_spread(n)) is not None}
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
        gains={name: correct(mine.minus(other), rubric.primary_metric) for name, other in others.items()},
        pairs=pair_accuracy(predictions, rubric, seed=seed),
        slices=[
            part
            for column, title in (slice_columns or {}).items()
            for part in slices(predictions, column, title, rubric, seed=seed)
        ],
        read=read,
        lineage=dict(lineage or {}),
        curves=Curves.of(Outcomes.of(predictions, rubric)),
        errors=Errors.of(predictions, rubric),
    )
    evaluation.warnings.extend(_warnings(evaluation))
    return evaluation


def with_training(evaluation: Evaluation, curve: pd.DataFrame) -> Evaluation:
    """The evaluation with what a run's Curve says of the cost, models for cross-fitted calibration included."""
    if curve.empty:
        return evaluation
    spent = {"updates": float(len(curve)), "tokens": float(curve["tokens"].sum())}
    spent["seconds"] = float(curve["seconds"].sum())
    if "fold" in curve:
        spent["fold_models"] = float(curve["fold"].max())
    for name in ("processor_seconds", "joules"):
        if name in curve and curve[name].notna().all():
            spent[name] = float(curve[name].sum())
    return replace(evaluation, training=spent)


def with_raters(evaluation: Evaluation, predictions: pd.DataFrame, ratings: pd.DataFrame) -> Evaluation:
    """The evaluation with what `ratings` of its documents, row by row, say of the labels.

    Where they are too few, a warning says so: that is no reason to lose the other figures.
    """
    try:
        found = measure_raters(
            ratings,
            clusters=predictions["cluster"].to_numpy(),
            scores=predictions["score"].to_numpy(),
            labels=predictions["label"].to_numpy(),
        )
    except InputError as error:
        return replace(evaluation, warnings=[*evaluation.warnings, f"Nothing is said of the raters: {error}."])
    return replace(evaluation, raters=found)


def _intervals(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Interval]:
    return {name: Interval(**interval) for name, interval in given.items()}


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
    elif shown.value is not None and shown.low is not None and shown.high is not None and shown.high - shown.low > WIDE:
        said.append(
            f"With {evaluation.documents} test documents ({kept}) the intervals are wide: "
            f"the F1 of {shown.value:.2f} may be anything from {shown.low:.2f} to {shown.high:.2f}."
        )
    elif shown.value == shown.low == 1:
        # Exact one-sided bound for no error among n; the rule of three (Hanley and Lippman-Hand 1983) approximates it.
        bound = 1 - 0.05 ** (1 / evaluation.clusters)
        said.append(
            f"No test document was kept or dropped wrongly, so the interval of F1 has no width; with "
            f"{evaluation.clusters} clusters up to {bound:.1%} of new documents may still be."
        )
    for baseline, gains in evaluation.gains.items():
        gain, name = gains[primary], BASELINE_NAMES.get(baseline, baseline)
        word = told_apart(gain)
        if gain.low is None or gain.high is None or word == "better":
            continue
        verdict = "worse than" if word == "worse" else "not better beyond doubt than"
        said.append(
            f"The model is {verdict} {name}: {METRICS[primary].title} differs by {gain.value:+.3f}, "
            f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}, p = {gain.p:.3f}."
        )
        worse = [METRICS[other].title for other, d in gains.items() if other != primary and told_apart(d) == "worse"]
        if worse:
            said.append(f"After Holm's correction it is worse than {name} in: {', '.join(worse)}.")
    if evaluation.read < 0.95:
        said.append(
            f"The model read {evaluation.read:.0%} of the test documents' tokens; "
            "whoever labelled them may have read more. A larger window count reads more."
        )
    undefined = [METRICS[name].title for name, interval in evaluation.metrics.items() if interval.value is None]
    if undefined:
        said.append(f"Undefined on this test part: {', '.join(undefined)}.")
    return said


def with_gates(evaluation: Evaluation, verdicts: Sequence[Verdict]) -> Evaluation:
    """The evaluation with these verdicts; refusals are also warnings, so that card, report and terminal show them."""
    return replace(evaluation, gates=list(verdicts), warnings=[*evaluation.warnings, *refusals(verdicts)])
