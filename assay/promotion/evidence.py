"""The evidence of a promotion: the tables and figures that the rules read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from assay.gates import Verdict
from assay.inference import GoldenReport
from assay.promotion.champions import Earlier
from assay.promotion.judgement import Candidate
from assay.promotion.latency import Latency
from assay.promotion.test_set import Wear
from assay.rubric import Rubric

GATES = ("shortcuts", "counterfactuals", "leak")
"""Gates that must have been run."""


@dataclass(frozen=True)
class Evidence:
    """Measurements of a challenger, and of the champion if there is one. None means not measured."""

    rubric: Rubric
    challenger: Candidate
    predictions: pd.DataFrame
    """Table Predictions of the challenger."""
    seen: int
    """Documents of `predictions` that the challenger was fitted to. Above 0, its figures are no test."""
    champion: Candidate | None = None
    champion_predictions: pd.DataFrame | None = None
    """Table Predictions of the champion on the same documents."""
    best: Earlier | None = None
    """The best of the earlier champions on these documents, if one is known; `not_worse` is measured against it too."""
    slice_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the tables -> its name for people. Missing values belong to no slice."""
    gates: Sequence[Verdict] = ()
    golden: GoldenReport | None = None
    """Golden documents of the challenger, scored again on the machine that compares."""
    latency: Latency | None = None
    champion_latency: Latency | None = None
    megabytes: float | None = None
    """Size of the challenger's folder, in 10^6 bytes."""
    data_days: float | None = None
    """Age of the newest data that the challenger learned from, in days."""
    wear: Wear | None = None
    """Number of uses of the test set, and its age."""
    lineage: Mapping[str, str] = field(default_factory=dict)
