"""The request of a retraining becomes the options of a training and those of a challenge."""

import datetime
import json
from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.options import build
from assay.pipeline import TrainingRequest
from assay.promotion import ChallengeRequest
from assay.sources import Columns, Period
from assay.training import recipe
from tasks.resolve_retraining import resolve_retraining
from tasks.resolve_training import resolve_training

KICKOFF = datetime.datetime(2026, 7, 1, 3, tzinfo=datetime.UTC)
NAIVE = datetime.datetime(2026, 7, 1)
"""Kickoff as Flyte may give it, without a time zone."""
DEFAULTS = {"text_column": "text", "label_column": "label", "recipe": "quickstart", "days": 0}
EMPTY = ("group_by", "time_column", "rubric", "options", "target")


def resolved(**inputs: object) -> tuple[TrainingRequest, ChallengeRequest]:
    """Call the task with the workflow's defaults, and build the requests of its outputs."""
    given = {**dict.fromkeys(EMPTY, ""), **DEFAULTS, "kickoff": KICKOFF, "source": "s.parquet", "test_set": "t.parquet"}
    found = resolve_retraining.task_function(**{**given, **inputs})
    training, challenge = json.loads(found.training), json.loads(found.challenge)
    return build(TrainingRequest, training), build(ChallengeRequest, challenge)


@pytest.mark.parametrize(
    ("inputs", "period"),
    [
        ({}, None),
        ({"days": 7}, None),
        ({"time_column": "when"}, Period("when", "", "2026-07-01T03:00:00+00:00")),
        ({"time_column": "when", "days": 7}, Period("when", "2026-06-24T03:00:00+00:00", "2026-07-01T03:00:00+00:00")),
        (
            {"time_column": "when", "kickoff": datetime.datetime(2026, 7, 1)},
            Period("when", "", "2026-07-01T00:00:00+00:00"),
        ),
        ({"time_column": "when", "days": 7, "options": "since: 2026-01-01"}, Period("when", "2026-01-01", "")),
        ({"time_column": "when", "options": "until: 2026-01-01"}, Period("when", "", "2026-01-01")),
    ],
    ids=["no column", "days without a column", "all until then", "days", "no time zone", "own start", "own end"],
)
def test_labels_are_those_of_the_days_before_kickoff_or_of_a_period_of_its_own(
    inputs: dict[str, object], period: Period | None
) -> None:
    training, _ = resolved(**inputs)

    assert training.period == period


def test_the_training_has_all_options_that_a_training_by_hand_has() -> None:
    training, _ = resolved(rubric="education", group_by="site", options="{epochs: 5, slice_by: [genre], keep: f1}")

    by_hand = build(
        TrainingRequest,
        {
            "source": "s.parquet",
            "rubric": "education",
            "group_by": "site",
            "recipe": "quickstart",
            "epochs": 5,
            "slice_by": ["genre"],
            "keep": "f1",
        },
    )
    assert training == by_hand
    assert training.config.windows == recipe("quickstart").windows


def test_the_challenge_has_the_columns_slices_limits_and_gates_of_the_training() -> None:
    options = {
        "slice_by": ["genre"],
        "id_column": "url",
        "weight_column": "trust",
        "limit": {"mode": "not_worse", "margin": 0.02},
        "gate_limit": ["shortcuts.excess=0.2"],
    }

    training, challenge = resolved(
        text_column="body", label_column="score", group_by="site", options=json.dumps(options)
    )

    assert challenge.source == "t.parquet"
    assert challenge.columns == Columns("body", "score", "site", id="url"), "a test set needs no weights"
    assert challenge.slice_by == training.slice_by == ("genre",)
    assert (challenge.limits.mode, challenge.limits.margin) == ("not_worse", 0.02)
    assert challenge.gates == training.gates
    assert challenge.gates.shortcuts.excess == 0.2


def test_equal_requests_give_equal_text() -> None:
    def text(**inputs: object) -> tuple[str, str]:
        given = {**dict.fromkeys(EMPTY, ""), **DEFAULTS, "kickoff": KICKOFF, "source": "s", "test_set": "t", **inputs}
        return tuple(resolve_retraining.task_function(**given))

    assert text(rubric="education", options="{epochs: 5}") == text(options="{rubric: education, epochs: 5}")


def test_the_options_of_the_training_are_read_by_the_task_that_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    source = tmp_path / "labels.parquet"
    pd.DataFrame({"body": ["one", "two"], "label": [0, 1], "when": ["2026-01-01", "2026-06-30"]}).to_parquet(source)
    given = {**dict.fromkeys(EMPTY, ""), **DEFAULTS, "kickoff": KICKOFF, "source": str(source), "test_set": "t.parquet"}
    given |= {"text_column": "body", "time_column": "when", "days": 7, "options": "{epochs: 5, seeds: 2}"}

    options = resolve_retraining.task_function(**given).training
    names = ("group_by", "time_column", "since", "until", "rubric", "ledger", "registry")
    plain = {**dict.fromkeys(names, ""), "text_column": "text", "label_column": "label", "recipe": "default"}
    plain["tracking"] = "none"
    found = resolve_training.task_function(**plain, source=str(source), options=options)

    assert found.columns == Columns("body", "label")
    assert found.period == Period("when", "2026-06-24T03:00:00+00:00", "2026-07-01T03:00:00+00:00")
    assert (found.config.epochs, found.config.windows) == (5, recipe("quickstart").windows)
    assert found.other_seeds == [1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"days": -1}, "a period of -1 days"),
        ({"options": "{limit: {mood: 1}}"}, "mood"),
        (
            {"options": "{test_set: other.parquet}"},
            "test_set is 't.parquet' as an input and 'other.parquet' in options",
        ),
        ({"options": "{every_hours: 6}"}, "no option 'every_hours'"),
        ({"recipe": "nothing"}, "no recipe 'nothing'"),
    ],
)
def test_a_request_that_cannot_be_used_ends_the_run_here(inputs: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolved(**inputs)
