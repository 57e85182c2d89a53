"""What a promotion is decided on: tables and figures that others have measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from assay.gates import Verdict
from assay.inference import GoldenReport
from assay.promotion.judgement import Candidate
from assay.promotion.latency import Latency
from assay.promotion.test_set import Wear
from assay.rubric import Rubric

GATES = ("shortcuts", "counterfactuals", "leak")
"""Gates that must have been asked."""


@dataclass(frozen=True)
class Evidence:
    """Of a challenger, and of the champion where there is one. None: not measured."""

    rubric: Rubric
    challenger: Candidate
    predictions: pd.DataFrame
    """Predictions of the challenger."""
    seen: int
    """Of these documents, those that fitted the challenger: 0, or its figures are no test."""
    champion: Candidate | None = None
    champion_predictions: pd.DataFrame | None = None
    """Predictions of the champion, of the same documents."""
    slice_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the tables -> its name for people; missing values belong to no slice."""
    gates: Sequence[Verdict] = ()
    golden: GoldenReport | None = None
    """Of the challenger, on the machine that judges."""
    latency: Latency | None = None
    champion_latency: Latency | None = None
    megabytes: float | None = None
    """Size of the challenger's folder, in 10^6 bytes."""
    data_days: float | None = None
    """Age of the newest data that it learned from, in days."""
    wear: Wear | None = None
    """Of the test set."""
    lineage: Mapping[str, str] = field(default_factory=dict)
