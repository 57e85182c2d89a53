"""What served is put back whatever fails: no node runs beside a workflow that has a failure node.

Flyte runs a failure node upon a failure in its own workflow. If a node beside that workflow fails, it is aborted, and
its failure node does not run.
"""

from collections import OrderedDict
from collections.abc import Iterable

import pytest
from compiled import Registered, by_name, calls
from flyteidl.admin import launch_plan_pb2, workflow_pb2
from flyteidl.core import workflow_pb2 as core
from flytekit import task, workflow
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

GUARDED = "workflows.deployment.put_in_service"


def started_by(node: core.Node) -> set[str]:
    """Return the names of the workflows and launch plans that a node calls, also in branches."""
    return {name for name, called in calls([node]) if called.WhichOneof("target") == "workflow_node"}


def guarded(workflows: dict[str, workflow_pb2.WorkflowSpec], plans: dict[str, str]) -> set[str]:
    """Return the workflows that have a failure node, or call one that has, through whatever calls it."""
    found = {name for name, spec in workflows.items() if spec.template.HasField("failure_node")}
    before = -1
    while len(found) > before:
        before = len(found)
        for name, spec in workflows.items():
            called = {plans.get(each, each) for node in spec.template.nodes for each in started_by(node)}
            if called & found:
                found.add(name)
    return found


def upstream(nodes: Iterable[core.Node]) -> dict[str, set[str]]:
    """Return node -> all nodes that end before it starts."""
    before: dict[str, set[str]] = {node.id: set(node.upstream_node_ids) for node in nodes}
    for _ in before:
        for earlier in before.values():
            earlier |= {far for near in set(earlier) for far in before.get(near, set())}
    return before


def beside(workflows: dict[str, workflow_pb2.WorkflowSpec], plans: dict[str, str]) -> list[tuple[str, str]]:
    """Return (workflow, node) of each node that may run at the same time as a guarded workflow beside it."""
    dangerous, found = guarded(workflows, plans), []
    for name, spec in workflows.items():
        template = spec.template
        if template.metadata.on_failure == core.WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE:
            continue
        before = upstream(template.nodes)
        for node in template.nodes:
            if {plans.get(each, each) for each in started_by(node)} & dangerous:
                found += [
                    (name, other.metadata.name)
                    for other in template.nodes
                    if other.id != node.id and other.id not in before[node.id] and node.id not in before[other.id]
                ]
    return found


@pytest.mark.full
def test_nothing_runs_beside_a_service_that_is_being_replaced(registered: Registered) -> None:
    workflows = by_name(registered.specs, workflow_pb2.WorkflowSpec)
    launched = by_name(registered.specs, launch_plan_pb2.LaunchPlan)
    plans = {name: plan.spec.workflow_id.name for name, plan in launched.items()}

    reached = guarded(workflows, plans)
    assert {GUARDED, "workflows.retraining.retrain_and_redeploy", "workflows.watch.watch_service"} <= reached
    assert beside(workflows, plans) == []


@task
def put_back(given: int) -> None:
    """A failure node."""


@task
def step(given: int) -> int:
    return given


@workflow(on_failure=put_back)
def replaced(given: int) -> int:
    return step(given=given)


@workflow
def called(given: int) -> int:
    return replaced(given=given)


@workflow
def planted(given: int) -> int:
    first = step(given=given)
    step(given=given)
    last = called(given=first)
    return step(given=last)


def test_a_planted_node_beside_it_would_be_found() -> None:
    settings = SerializationSettings(ImageConfig.auto(img_name="registry.example/assay:1"), "p", "d", "v")
    entities: OrderedDict[object, object] = OrderedDict()
    get_serializable(entities, settings, planted)
    specs = {str(number): spec.to_flyte_idl() for number, spec in enumerate(entities.values())}
    workflows = by_name(specs, workflow_pb2.WorkflowSpec)

    ((name, node),) = beside(workflows, {})

    assert (name.rsplit(".", 1)[-1], node) == ("planted", "step")
