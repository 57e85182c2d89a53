"""A stand-in for Flyte's propeller: walks a compiled workflow, binds inputs as it does, and runs each task in a pod.

As propeller does (flytepropeller 1.16): an attribute of a dataclass is encoded again, in another order of its keys, and
is binary even if it is text; a task of a map gets the inputs of all, and its index; results are cached by the hashes of
inputs, where they have one; a failure runs the failure node of each workflow around it. Nodes run one after another.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgpack
from compiled import by_name
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import condition_pb2, literals_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core
from google.protobuf.timestamp_pb2 import Timestamp
from pods import PodError, Pods

Literal, Literals = literals_pb2.Literal, literals_pb2.LiteralMap


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

    def start(self, plan: str, **inputs: Any) -> dict[str, Any]:
        """Return the outputs of a launch plan; dataclasses as dicts. Raise PodError if a task fails."""
        parameters = self.plans[plan].spec.default_inputs.parameters
        given = {name: literal_of(value, parameters[name].var.type) for name, value in inputs.items()}
        self.execution = f"a{len(self.launched)}"
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


def attribute(literal: Literal, path: list[Any]) -> Literal:
    """Return an attribute of an output, encoded anew; without a path the output itself."""
    while path and not literal.HasField("scalar"):
        literal, path = (
            (literal.map.literals[path[0]] if literal.HasField("map") else literal.collection.literals[path[0]]),
            path[1:],
        )
    if not path:
        return literal
    value = msgpack.unpackb(literal.scalar.binary.value, strict_map_key=False)
    for at in path:
        value = value[at]
    encoded = msgpack.packb(another_order(value))
    return Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=encoded, tag="msgpack")))


_shuffles = 0


def another_order(value: Any) -> Any:
    """Return a value whose maps have their keys in another order than at the last call: Go's order is random."""
    global _shuffles
    if isinstance(value, dict):
        _shuffles += 1
        keys = list(value)
        keys = keys[_shuffles % len(keys) :] + keys[: _shuffles % len(keys)] if keys else []
        return {key: another_order(value[key]) for key in keys}
    return [another_order(each) for each in value] if isinstance(value, list) else value


def holds(expression: condition_pb2.BooleanExpression, inputs: Literals) -> bool:
    """Return the value of the condition of a branch: comparisons for equality of primitives."""
    comparison = expression.comparison
    assert comparison.operator == condition_pb2.ComparisonExpression.EQ, expression
    left, right = (
        inputs.literals[side.var].scalar.primitive if side.HasField("var") else side.primitive
        for side in (comparison.left_value, comparison.right_value)
    )
    return bool(left == right)


def cache_key(template: Any, inputs: Literals) -> bytes:
    """Return the key of a task in the catalog. A literal with a hash counts by that hash, also within a list."""
    ignored = set(template.metadata.cache_ignore_input_vars)
    hashed = {name: _hashed(literal) for name, literal in inputs.literals.items() if name not in ignored}
    prefix = f"{template.id.name}:{template.metadata.discovery_version}:".encode()
    return prefix + Literals(literals=hashed).SerializeToString(deterministic=True)


def _hashed(literal: Literal) -> Literal:
    if literal.hash:
        return Literal(hash=literal.hash)
    match literal.WhichOneof("value"):
        case "collection":
            inner = [_hashed(each) for each in literal.collection.literals]
            return Literal(collection=literals_pb2.LiteralCollection(literals=inner))
        case "map":
            return Literal(map=Literals(literals={key: _hashed(each) for key, each in literal.map.literals.items()}))
    return literal


def error_literal(node: str, message: str) -> Literal:
    """Return the error that a failure node gets as `err`, an optional input."""
    error = Literal(scalar=literals_pb2.Scalar(error=types_pb2.Error(failed_node_id=node, message=message)))
    kind = types_pb2.LiteralType(simple=types_pb2.ERROR, structure=types_pb2.TypeStructure(tag="FlyteError"))
    return Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=error, type=kind)))


def literal_of(value: Any, kind: types_pb2.LiteralType) -> Literal:
    """Return an input of a launch plan as `flytectl` and the console send it."""
    if kind.HasField("union_type"):
        variant = next(each for each in kind.union_type.variants if (each.simple == types_pb2.NONE) == (value is None))
        inner = Literal(scalar=literals_pb2.Scalar(none_type={})) if value is None else literal_of(value, variant)
        return Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=inner, type=variant)))
    names = {
        types_pb2.INTEGER: "integer",
        types_pb2.FLOAT: "float_value",
        types_pb2.STRING: "string_value",
        types_pb2.BOOLEAN: "boolean",
        types_pb2.DATETIME: "datetime",
    }
    if isinstance(value, datetime.datetime):
        moment, value = value, Timestamp()
        value.FromDatetime(moment)
    primitive = literals_pb2.Primitive(**{names[kind.simple]: value})
    return Literal(scalar=literals_pb2.Scalar(primitive=primitive))


def value_of(literal: Literal) -> Any:
    """Return an output as plain values."""
    scalar = literal.scalar
    match scalar.WhichOneof("value") if literal.HasField("scalar") else literal.WhichOneof("value"):
        case "binary":
            return msgpack.unpackb(scalar.binary.value, strict_map_key=False)
        case "primitive":
            return getattr(scalar.primitive, scalar.primitive.WhichOneof("value"))
        case "collection":
            return [value_of(each) for each in literal.collection.literals]
    return literal
