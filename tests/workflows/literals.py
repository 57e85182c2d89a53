"""Literals of Flyte as propeller makes them: attributes of outputs, keys of the catalog, errors; and plain values."""

import datetime
from typing import Any

import msgpack
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf.timestamp_pb2 import Timestamp

Literal, Literals = literals_pb2.Literal, literals_pb2.LiteralMap


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
    if kind.HasField("collection_type"):
        every = [literal_of(each, kind.collection_type) for each in value]
        return Literal(collection=literals_pb2.LiteralCollection(literals=every))
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
