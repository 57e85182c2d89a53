"""Build a request from the options that were given, and write a request as plain options again."""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any, TypeVar

from assay.errors import InputError
from assay.options.definition import Option, group_kind, options_of
from assay.storage import parse_setting

R = TypeVar("R")


def build(request: type[R], given: Mapping[str, Any], *, where: str = "") -> R:
    """Build a request from options by name; an option that is not given has its default.

    Values are plain JSON values or text, as files, command lines and workflows give them. `where` names the place that
    gave them in messages. Raise InputError as `read_values`, if a required option is missing, and if the values do not
    fit each other.
    """
    options = options_of(request)  # type: ignore[arg-type]  # mypy takes type[R] for unhashable
    values = {options[name].path: value for name, value in read_values(request, given, where=where).items()}
    missing = [name for name, option in options.items() if option.default is MISSING and name not in given]
    if missing:
        raise InputError(f"{missing[0]} is missing", where=where, fix=f"Give {missing[0]}")
    bases = {}
    for name, option in options.items():
        if option.chooses and option.base is not None:
            bases[option.path] = option.base.make(str(given.get(name, option.default)))
            values.pop(option.path, None)
    made: R = _made(request, MISSING, (), values, bases)
    return made


def read_values(request: type, given: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """Return the values of options by name, each in its type.

    Raise InputError for an unknown option, naming the nearest one, and for a value of another type.
    """
    options = options_of(request)
    for name in given:
        if name not in options:
            near = difflib.get_close_matches(name.replace("-", "_"), options, n=1)
            fix = f"Did you mean {near[0]}?" if near else f"Give one of: {', '.join(options)}"
            raise InputError(f"no option {name!r}", where=where, fix=fix)
    return {name: _value(options[name], value, where) for name, value in given.items()}


def overlay(request: type, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of two layers, such as a file and a command line; those `above` take precedence.

    If `above` chooses a base, such as a recipe, the options of its group in `below` are left out: they would hide it.
    """
    options = options_of(request)
    chosen = [options[name].base for name in above if options[name].chooses]
    hidden = [name for name in below if options[name].base is not None and options[name].base in chosen]
    return {name: value for name, value in below.items() if name not in hidden} | dict(above)


def plain_options(request: Any, *, defaults: bool = True) -> dict[str, Any]:
    """Return a request as options with plain JSON values, from which `build` makes an equal one.

    Without `defaults`, only the options whose values differ from those of a request that gives the required ones alone.
    """
    options = {name: option for name, option in options_of(type(request)).items() if not option.chooses}  # type: ignore[arg-type]
    values = {name: _plain(option, request) for name, option in options.items()}
    if defaults:
        return values
    required = {name: values[name] for name, option in options.items() if option.default is MISSING}
    usual = plain_options(build(type(request), required))
    return {name: value for name, value in values.items() if name in required or value != usual[name]}


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return the values of a dataclass that are not None by name, those of a dataclass inside as `outer.inner`."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        inner = plain_settings(value) if is_dataclass(value) else None
        found |= {field.name: value} if inner is None else {f"{field.name}.{name}": of for name, of in inner.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(option: Option, given: Any, where: str) -> Any:
    if given is None and option.default is None:
        return None
    if option.many and isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if option.read is None:
        return parse_setting(option.kind, given, what=f"{option.name} {given!r}", where=where)
    if isinstance(given, Mapping):  # settings as `gate_limit: {shortcuts.excess: 0.3}`
        given = [f"{name}={value}" for name, value in given.items()]
    if option.many and not isinstance(given, list | tuple):
        raise InputError(f"{option.name} is {given!r}, not a list", where=where, fix="Give a list")
    return option.read([str(entry) for entry in given] if option.many else str(given))


def _made(
    kind: Any,
    start: Any,
    path: tuple[str, ...],
    values: Mapping[tuple[str, ...], Any],
    bases: Mapping[tuple[str, ...], Any],
) -> Any:
    """Return `start` with the values below `path`, or a new `kind` if there is no start."""
    changes: dict[str, Any] = {}
    for field in fields(kind):
        here = (*path, field.name)
        if here in values:
            changes[field.name] = values[here]
        elif here in bases or any(place[: len(here)] == here for place in [*values, *bases]):
            inner = bases[here] if here in bases else _present(field, start)
            changes[field.name] = _made(group_kind(kind, field.name), inner, here, values, bases)
    if start is None and not any(changes.values()):  # an optional group, such as a period, of which nothing is given
        return None
    return kind(**changes) if start is MISSING or start is None else replace(start, **changes)


def _present(field: "Field[Any]", start: Any) -> Any:
    if start is not MISSING and start is not None:
        return getattr(start, field.name)
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _plain(option: Option, request: Any) -> Any:
    value = request
    for step in option.path:
        if value is None:  # in an optional group
            return option.default
        value = getattr(value, step)
    if option.plain is not None and value is not None:
        each = option.many and isinstance(value, tuple)
        return [option.plain(entry) for entry in value] if each else option.plain(value)
    return list(value) if isinstance(value, tuple) else value
