"""Inputs of launch plans as a file gives them; tests/workflows/test_launch_plans.py has the faults of such a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay.pipeline import TrainingRequest
from tasks.support.plans import Plan, read_plan
from tasks.support.requests import read_request

INPUTS: dict[str, tuple[type, Any]] = {"kickoff": (str, None), "source": (str, None), "options": (str, "")}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the plan of a file with this text below its schedule and source."""

    def read(text: str) -> Plan:
        file = tmp_path / "plans.toml"
        file.write_text(f'[weekly]\nschedule = "0 3 * * 1"\nsource = "labels.parquet"\n{text}\n', encoding="utf-8")
        monkeypatch.setenv("ASSAY_PLANS", str(file))
        return read_plan("weekly", INPUTS, "kickoff")

    return read


def test_a_plan_has_its_schedule_and_the_inputs_that_are_given(plan: Any) -> None:
    assert plan("") == Plan("0 3 * * 1", {"source": "labels.parquet"})


@pytest.mark.parametrize(
    "text",
    [
        'options = { epochs = 5, slice_by = ["genre"], gate_limit = { "shortcuts.excess" = 0.2 } }',
        '[weekly.options]\nepochs = 5\nslice_by = ["genre"]\ngate_limit = { "shortcuts.excess" = 0.2 }',
        """options = '{epochs: 5, slice_by: [genre], gate_limit: {shortcuts.excess: 0.2}}'""",
    ],
    ids=["inline table", "table", "text"],
)
def test_options_are_a_table_or_text_and_reach_the_request(plan: Any, text: str) -> None:
    found = plan(text)

    assert isinstance(found.inputs["options"], str)
    request = read_request(TrainingRequest, found.inputs["options"], source=found.inputs["source"])
    assert (request.source, request.config.epochs, request.slice_by) == ("labels.parquet", 5, ("genre",))
    assert request.gates.shortcuts.excess == 0.2


def test_a_table_of_options_becomes_json(plan: Any) -> None:
    options = plan('options = { rubric = "Qualität", seeds = 2 }').inputs["options"]

    assert json.loads(options) == {"rubric": "Qualität", "seeds": 2}
    assert "Qualität" in options, "it is shown in Flyte's console"
