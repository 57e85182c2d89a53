"""Read JSON into dataclasses through pydantic, so that every damaged record gives the same kind of message."""

import datetime
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from assay.errors import InputError

T = TypeVar("T")

only_known_fields = with_config(ConfigDict(extra="forbid"))
"""Decorate a dataclass with it: an unknown field is an error. Without it, pydantic ignores unknown fields."""


@lru_cache(maxsize=256)  # one for each class of the product
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the validator of a type. Building one takes milliseconds, so each is built once."""
    return TypeAdapter(kind)


def parse_record(kind: type[T], fields: Any, *, what: str, where: str = "", fix: str = "") -> T:
    """Build a value of `kind`, a dataclass or any type that pydantic knows, from plain JSON values.

    `what` names the record in the message: `this plan`, `assay.json`. Raise InputError if a field is missing, unknown
    or of another type. If a dataclass refuses its own values with an InputError, that error is raised unchanged.
    """
    # Strict JSON takes a list for a tuple and 3 for 3.0, but no text for a number; strict Python values would not.
    text = json.dumps(fields)
    return _validated(lambda: adapter(kind).validate_json(text, strict=True), what, where, fix)  # type: ignore[arg-type]


def parse_json(kind: type[T], text: str | bytes, *, what: str, where: str = "", fix: str = "") -> T:
    """Build a value of `kind` from JSON text. Raise InputError as `parse_record`, and for text that is no JSON."""
    try:
        json.loads(text)  # for its message, which has the line and the column of the fault
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{what} cannot be read: {error}", where=where, fix=fix) from error
    return _validated(lambda: adapter(kind).validate_json(text, strict=True), what, where, fix)  # type: ignore[arg-type]


def parse_setting(kind: type[T], given: Any, *, what: str, where: str = "", fix: str = "") -> T:
    """Build a value of `kind` as people write it: `3` and `yes` in text are a number and a truth value.

    Raise InputError as `parse_record`.
    """
    return _validated(lambda: adapter(kind).validate_python(given), what, where, fix)  # type: ignore[arg-type]


def _validated(validate: Callable[[], T], what: str, where: str, fix: str) -> T:
    try:
        return validate()
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            own = found.get("ctx", {}).get("error")
            if isinstance(own, InputError):
                raise own from error
        raise InputError(f"{what} cannot be read: {reason(error)}", where=where, fix=fix) from error


def require_time(when: str, *, what: str, where: str = "", fix: str = "") -> None:
    """Raise InputError if a record's field `when` or `created` is not a time in ISO 8601 with a time zone."""
    try:
        if datetime.datetime.fromisoformat(when).tzinfo is None:
            raise ValueError("its time has no time zone")
    except ValueError as error:
        raise InputError(f"{what} cannot be read: {error}", where=where, fix=fix) from error


def reason(error: ValidationError) -> str:
    """Return the first fault of a validation as `field: what is wrong`, and how many more there are."""
    first, *others = error.errors(include_url=False, include_input=False)
    place = ".".join(str(step) for step in first["loc"])
    message = first["msg"][0].lower() + first["msg"][1:]
    more = f" (and {len(others)} more)" if others else ""
    return f"{place}: {message}{more}" if place else f"{message}{more}"
