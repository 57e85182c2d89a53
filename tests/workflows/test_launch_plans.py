"""Launch plans: inactive until somebody activates them, and read from a file for each environment."""

import importlib
from pathlib import Path

import pytest
from compiled import PLANS, ROOT, compile_package, read_package
from flyteidl.admin import launch_plan_pb2
from flytekit.core.interface import Interface

from assay.errors import InputError
from assay.options import options_of, plain_options
from assay.release import RetrainingRequest, WatchingRequest
from assay.selection import FilteringRequest
from tasks.support.plans import read_plan
from tasks.support.requests import read_request

ENVIRONMENTS = ["infra/flyte/dev/plans.toml", "infra/flyte/prod/plans.toml"]
REQUESTS = {
    "retraining": RetrainingRequest,
    "nightly_filtering": FilteringRequest,
    "hourly_watch": WatchingRequest,
}


def interface_of(workflow: str) -> Interface:
    module, _, function = workflow.rpartition(".")
    return getattr(importlib.import_module(module), function).python_interface


@pytest.mark.parametrize("name", PLANS)
def test_registering_activates_no_plan(name: str) -> None:
    """The compiled plan does not hold this: registration reads it from the object."""
    module = importlib.import_module(PLANS[name].rpartition(".")[0])

    assert getattr(module, name).name == name
    assert getattr(module, name).should_auto_activate is False


@pytest.mark.full
def test_plans_of_another_environment_come_from_its_file(tmp_path: Path) -> None:
    text = (ROOT / "workflows" / "plans.toml").read_text()
    (tmp_path / "prod.toml").write_text(text.replace("0 3 * * 1", "0 4 * * 2"))
    compile_package(tmp_path, ASSAY_PLANS=str(tmp_path / "prod.toml"))
    found = read_package(tmp_path)
    plans = {s.id.name: s.spec for s in found.values() if isinstance(s, launch_plan_pb2.LaunchPlan)}
    assert plans["retraining"].entity_metadata.schedule.cron_schedule.schedule == "0 4 * * 2"


@pytest.mark.parametrize("file", ENVIRONMENTS)
def test_every_environment_has_plans_that_fit_the_workflows(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = {name: interface_of(workflow) for name, workflow in PLANS.items()}
    monkeypatch.setenv("ASSAY_PLANS", str(ROOT / file))
    for name, interface in interfaces.items():
        plan = read_plan(name, interface.inputs_with_defaults, "kickoff")
        assert len(plan.schedule.split()) == 5
        assert not {"registry", "scores", "ledger", "looks", "log"} & set(plan.inputs), "the environment says where"


@pytest.mark.parametrize("file", [*ENVIRONMENTS, "workflows/plans.toml"])
def test_the_inputs_and_options_of_a_plan_are_a_request(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = {name: interface_of(workflow) for name, workflow in PLANS.items()}
    monkeypatch.setenv("ASSAY_PLANS", str(ROOT / file))
    for name, interface in interfaces.items():
        inputs = read_plan(name, interface.inputs_with_defaults, "kickoff").inputs
        known = {key: value for key, value in inputs.items() if key in options_of(REQUESTS[name])}
        assert plain_options(read_request(REQUESTS[name], str(inputs.get("options", "")), **known))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[hourly_watch]", "[hourly]"), "no table [hourly_watch] with a schedule"),
        (('rubric = "education"', 'rubrik = "education"'), "unknown: rubrik"),
        (('test_set = "data/sample/documents.jsonl"', ""), "not given: test_set"),
        (("[", "[["), "no launch plans can be read"),
    ],
)
def test_plans_that_cannot_be_registered_have_a_message(
    change: tuple[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflows.watch import watch_service

    text = (ROOT / "workflows" / "plans.toml").read_text()
    (tmp_path / "plans.toml").write_text(text.replace(*change))
    monkeypatch.setenv("ASSAY_PLANS", str(tmp_path / "plans.toml"))

    with pytest.raises(InputError) as raised:
        read_plan("hourly_watch", watch_service.python_interface.inputs_with_defaults, "kickoff")

    assert message in str(raised.value)
    assert "plans.toml" in str(raised.value)
