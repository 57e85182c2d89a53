"""A line of JSON gives the same value as the json module: no number is rounded and no line is refused."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.sources.jsonl import _value

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
NUMBERS = st.from_regex(rb"-?[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
ODD = st.sampled_from(
    [b"-0", b"1E400", b"-1E400", b"1e-400", b"-0.0", b"NaN", b"Infinity", b'{"a":1,"a":2}', b"{", b"\xff"]
)


def same(one: Any, two: Any) -> bool:
    """Return True if both are equal, also in types, digits and order."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return repr(one) == repr(two)


def by_json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return json.loads(line.decode("utf-8-sig", "replace"))


def outcome(read: Any, line: bytes) -> Any:
    try:
        return read(line)
    except ValueError:
        return ValueError


@settings(max_examples=500, deadline=None)
@given(VALUES, st.booleans())
def test_any_value_is_read_unchanged(value: Any, escaped: bool) -> None:
    line = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert same(_value(line), by_json(line))


@settings(max_examples=500, deadline=None)
@given(NUMBERS | ODD)
def test_numbers_of_any_length_and_invalid_json(line: bytes) -> None:
    assert same(outcome(_value, line), outcome(by_json, line))
