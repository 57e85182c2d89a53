"""JSON into dataclasses: the same kind of message for every fault, and no value that is guessed."""

from dataclasses import dataclass, field

import pytest

from assay.errors import InputError
from assay.storage import only_known_fields, parse_json, parse_record, parse_setting


@dataclass(frozen=True)
class Inner:
    """A part."""

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise InputError(f"share is {self.share:g}", fix="Give 0 to 1")


@only_known_fields
@dataclass(frozen=True)
class Outer:
    """A record."""

    name: str
    inner: Inner
    sizes: tuple[int, ...] = ()
    limit: float | None = None
    labels: dict[str, float] = field(default_factory=dict)


GOOD = {"name": "a", "inner": {"share": 1}, "sizes": [1, 2], "limit": None, "labels": {"x": float("nan")}}


def test_plain_values_become_the_record() -> None:
    found = parse_record(Outer, GOOD, what="this record")

    assert (found.name, found.inner, found.sizes, found.limit) == ("a", Inner(1.0), (1, 2), None)
    assert found.labels["x"] != found.labels["x"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": 3}, "this record cannot be read: name: input should be a valid string (here). Get it again"),
        ({"inner": {"share": "0.5"}}, "inner.share: input should be a valid number"),
        ({"inner": {"share": True}}, "inner.share: input should be a valid number"),
        ({"sizes": [1, 2.5]}, "sizes.1: input should be a valid integer"),
        ({"more": 1}, "more: unexpected keyword argument"),
        ({"inner": {}}, "inner.share: field required"),
        ({"inner": {}, "name": None}, "(and 1 more)"),
        ({"inner": {"share": 7}}, "share is 7. Give 0 to 1"),
    ],
)
def test_a_damaged_record_is_refused_by_its_field(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_record(Outer, {**GOOD, **changes}, what="this record", where="here", fix="Get it again")

    assert says in str(raised.value)


@pytest.mark.parametrize(("text", "says"), [(b"{", "Expecting"), (b"\xff", "codec can't decode"), (b"[]", "an object")])
def test_text_that_is_no_record_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(InputError, match="this record cannot be read") as raised:
        parse_json(Outer, text, what="this record", where="here")

    assert says in str(raised.value)


def test_settings_are_read_as_people_write_them() -> None:
    assert parse_setting(float, "0.5", what="share") == 0.5
    assert parse_setting(bool, "yes", what="strict") is True
    with pytest.raises(InputError, match="share 'many' cannot be read: input should be a valid number"):
        parse_setting(float, "many", what="share 'many'")
