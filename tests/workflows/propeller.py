"""A stand-in for Flyte's propeller: walks a compiled workflow, binds inputs as it does, and runs each task in a pod.

As propeller does (flytepropeller 1.16): an attribute of a dataclass is encoded again, in another order of its keys, and
is binary even if it is text; a task of a map gets the inputs of all, and its index; results are cached by the hashes of
inputs, where they have one; a failure runs the failure node of each workflow around it. Nodes run one after another.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from compiled import by_name, mapped
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import condition_pb2, literals_pb2
from flyteidl.core import workflow_pb2 as core
from literals import Literal, Literals, attribute, cache_key, error_literal, literal_of, value_of
from pods import PodError, Pods


@dataclass
class Propeller:
    """Runs what was registered, in pods, one execution after another."""

    packaged: dict[str, object]
    """As of `compiled.package`."""
    pods: Pods
    cached: dict[bytes, Literals] = field(default_factory=dict)
    """The catalog: key -> outputs of a task."""
    hits: list[str] = field(default_factory=list)
    """Tasks whose outputs came from the catalog."""
    launched: list[str] = field(default_factory=list)
    """Launch plans that were started, from outside and by nodes."""

    def __post_init__(self) -> None:
        self.tasks = by_name(self.packaged, task_pb2.TaskSpec)
        self.workflows = by_name(self.packaged, workflow_pb2.WorkflowSpec)
        self.plans = by_name(self.packaged, launch_plan_pb2.LaunchPlan)

    @property
    def ran(self) -> list[str]:
        """Names of the tasks that ran, without their modules; a task of a map once for each of its pods."""
        return [mapped(name.rsplit(".", 1)[-1]) for name in self.pods.started]

    def start(self, plan: str, **inputs: Any) -> dict[str, Any]:
        """Return the outputs of a launch plan; dataclasses as dicts. Raise PodError if a task fails."""
        parameters = self.plans[plan].spec.default_inputs.parameters
        given = {name: literal_of(value, parameters[name].var.type) for name, value in inputs.items()}
        self.execution = f"a{uuid.uuid4().hex[:19]}"
        outputs = self._launch(plan, Literals(literals=given))
        return {name: value_of(literal) for name, literal in outputs.literals.items()}

    def _launch(self, plan: str, given: Literals) -> Literals:
        spec = self.plans[plan].spec
        self.launched.append(plan)
        inputs = Literals()
        for name, parameter in spec.default_inputs.parameters.items():
            if name in given.literals:
                inputs.literals[name].CopyFrom(given.literals[name])
            else:
                assert not parameter.required, f"{plan} needs {name}"
                inputs.literals[name].CopyFrom(parameter.default)
        inputs.MergeFrom(spec.fixed_inputs)
        return self._workflow(spec.workflow_id.name, inputs)

    def _workflow(self, name: str, inputs: Literals) -> Literals:
        template = self.workflows[name].template
        done = {"": inputs}
        try:
            for node in ordered(template.nodes):
                done[node.id] = self._node(node, done)
        except PodError as error:
            if template.HasField("failure_node"):
                failure = core.Node()
                failure.CopyFrom(template.failure_node)
                given = bound(failure.inputs, done)
                if "err" in given.literals:
                    given.literals["err"].CopyFrom(error_literal(failure.id, str(error)))
                self._task(failure.task_node.reference_id.name, given)
            raise
        return bound(template.outputs, done)

    def _node(self, node: core.Node, done: dict[str, Literals]) -> Literals:
        inputs = bound(node.inputs, done)
        match node.WhichOneof("target"):
            case "task_node":
                return self._task(node.task_node.reference_id.name, inputs)
            case "workflow_node" if node.workflow_node.HasField("launchplan_ref"):
                return self._launch(node.workflow_node.launchplan_ref.name, inputs)
            case "workflow_node":
                return self._workflow(node.workflow_node.sub_workflow_ref.name, inputs)
            case "array_node":
                return self._map(node.array_node, inputs)
            case "branch_node":
                branch = node.branch_node.if_else
                for case in (branch.case, *branch.other):
                    if holds(case.condition, inputs):
                        return self._node(case.then_node, done)
                return self._node(branch.else_node, done)
        raise AssertionError(f"no such node here: {node}")

    def _map(self, array: core.ArrayNode, inputs: Literals) -> Literals:
        name = array.node.task_node.reference_id.name
        single = set(array.bound_inputs)
        lists = {key: value.collection.literals for key, value in inputs.literals.items() if key not in single}
        results = Literals()
        outputs = self.tasks[name].template.interface.outputs.variables
        for key in outputs:
            results.literals[key].collection.SetInParent()
        for index in range(len(next(iter(lists.values())))):
            own = {key: value for key, value in inputs.literals.items() if key in single}
            own |= {key: literals[index] for key, literals in lists.items()}
            for key, literal in self._task(name, inputs, Literals(literals=own), index).literals.items():
                results.literals[key].collection.literals.append(literal)
        return results

    def _task(self, name: str, inputs: Literals, own: Literals | None = None, index: int | None = None) -> Literals:
        spec = self.tasks[name]
        assert set(inputs.literals) == set(spec.template.interface.inputs.variables), name
        key = cache_key(spec.template, own or inputs)
        if spec.template.metadata.discoverable and key in self.cached:
            self.hits.append(name)
            return self.cached[key]
        outputs = self.pods.run(spec, inputs, self.execution, index)
        self.cached[key] = outputs
        return outputs


def ordered(nodes: Iterable[core.Node]) -> Iterable[core.Node]:
    """Yield nodes after those that they wait for, otherwise in their order."""
    left, done = list(nodes), set()
    while left:
        node = next(node for node in left if set(node.upstream_node_ids) <= done)
        left.remove(node)
        done.add(node.id)
        yield node


def bound(bindings: Iterable[literals_pb2.Binding], done: dict[str, Literals]) -> Literals:
    """Return the literals of bindings. `done`: outputs by node; the workflow's inputs have the empty name."""
    return Literals(literals={each.var: _resolved(each.binding, done) for each in bindings})


def _resolved(binding: literals_pb2.BindingData, done: dict[str, Literals]) -> Literal:
    match binding.WhichOneof("value"):
        case "scalar":
            return Literal(scalar=binding.scalar)
        case "promise":
            source = done[binding.promise.node_id].literals[binding.promise.var]
            return attribute(source, [getattr(at, at.WhichOneof("value")) for at in binding.promise.attr_path])
        case "collection":
            inner = [_resolved(each, done) for each in binding.collection.bindings]
            return Literal(collection=literals_pb2.LiteralCollection(literals=inner))
        case "map":
            return Literal(map=Literals(literals={k: _resolved(v, done) for k, v in binding.map.bindings.items()}))
    raise AssertionError(binding)


def holds(expression: condition_pb2.BooleanExpression, inputs: Literals) -> bool:
    """Return the value of the condition of a branch: comparisons for equality of primitives."""
    comparison = expression.comparison
    assert comparison.operator == condition_pb2.ComparisonExpression.EQ, expression
    left, right = (
        inputs.literals[side.var].scalar.primitive if side.HasField("var") else side.primitive
        for side in (comparison.left_value, comparison.right_value)
    )
    return bool(left == right)
