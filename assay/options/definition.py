"""Options of a run, read off the frozen dataclass that is its request.

A request is composed of the dataclasses that the rooms own (columns, training settings, limits). Each leaf of it is one
option with one name, which is the same on the command line (`--text-column`), in a file (`text_column: body`) and in a
workflow's `options`. The docstring under a field is the option's help.
"""

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, is_dataclass
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

KEY = "assay"
"""Key of the field metadata that this room reads."""


@dataclass(frozen=True)
class Base:
    """A named starting point of a group of options: a recipe of training, a preset of cleaning."""

    option: str
    """Name of the option that chooses it."""
    default: str
    make: Callable[[str], Any]
    """Return the group's dataclass for a name. Raise InputError for an unknown name."""
    help: str


@dataclass(frozen=True)
class Option:
    """One leaf of a request."""

    name: str
    path: tuple[str, ...]
    """Fields that lead to it from the request."""
    kind: Any
    """Type of the value."""
    help: str
    default: Any
    """MISSING if the option is required."""
    title: str = ""
    """Heading of the group that it belongs to; empty for the request's own fields."""
    base: Base | None = None
    """Starting point that gives the default instead of `default`."""
    chooses: bool = False
    """True for the option that chooses `base`; its path is that of the group."""
    read: Callable[[Any], Any] | None = None
    """Makes the value from text, or from a list of texts if `many`; None if the type is read as it is."""
    plain: Callable[[Any], Any] | None = None
    """The inverse of `read`, as plain JSON values."""
    many: bool = False
    """True if the value is a list."""
    metavar: str = ""


def group(
    *fields: str, title: str = "", base: Base | None = None, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the metadata of a field whose own fields are options of the request: all of them, or only `fields`.

    `title` is their heading on the command line. `names` gives options other names than those of their fields.
    """
    return {KEY: {"group": fields, "title": title, "base": base, "names": dict(names or {})}}


def named(name: str) -> dict[str, Any]:
    """Return the metadata of a field whose option has another name than the field."""
    return {KEY: {"name": name}}


def written(
    read: Callable[[Any], Any],
    *,
    plain: Callable[[Any], Any] = str,
    many: bool = False,
    name: str = "",
    metavar: str = "",
) -> dict[str, Any]:
    """Return the metadata of a field that people write as text, or as a list of texts if `many`.

    `read` makes the value from the text or the list. `plain` is its inverse, of each entry if the value is a tuple.
    """
    return {KEY: {"read": read, "plain": plain, "many": many, "name": name, "metavar": metavar}}


@lru_cache(maxsize=64)  # a request has a hundred options, and each command reads one or two requests
def options_of(request: type) -> Mapping[str, Option]:
    """Return the options of a request by name, in the order of its fields. Raise TypeError if two have one name."""
    found: dict[str, Option] = {}
    for option in _walk(request, MISSING, ()):
        if option.name in found:
            raise TypeError(f"two options of {request.__name__} are called {option.name}")
        found[option.name] = option
    return types.MappingProxyType(found)


def subset(options: Mapping[str, Option], *fields: str, but: Sequence[str] = ()) -> dict[str, Option]:
    """Return the options below some fields of the request, without those named in `but`."""
    return {name: option for name, option in options.items() if option.path[0] in fields and name not in but}


def _walk(
    kind: Any,
    instance: Any,
    path: tuple[str, ...],
    fields: Sequence[str] = (),
    names: Mapping[str, str] = types.MappingProxyType({}),
    title: str = "",
    base: Base | None = None,
) -> typing.Iterator[Option]:
    """Yield the options of a dataclass; `instance` gives their defaults, MISSING if there is none."""
    hints, helps = typing.get_type_hints(kind), field_docs(kind)
    for field in dataclasses.fields(kind):
        if fields and field.name not in fields:
            continue
        meta = field.metadata.get(KEY, {})
        here, default = (*path, field.name), _default(field, instance)
        if "group" in meta:
            start, heading = meta["base"], meta["title"] or title
            if start:
                yield Option(start.option, here, str, start.help, start.default, heading, base=start, chooses=True)
            inner = group_kind(kind, field.name)
            yield from _walk(inner, default, here, meta["group"], meta["names"], heading, start or base)
            continue
        yield Option(
            names.get(field.name) or meta.get("name") or field.name,
            here,
            hints[field.name],
            helps.get(field.name, ""),
            default,
            title,
            base=base,
            read=meta.get("read"),
            plain=meta.get("plain"),
            many=meta.get("many", get_origin(hints[field.name]) in (tuple, list)),
            metavar=meta.get("metavar", ""),
        )


def _default(field: "Field[Any]", instance: Any) -> Any:
    if instance is not MISSING and instance is not None:
        return getattr(instance, field.name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def group_kind(kind: Any, field: str) -> Any:
    """Return the dataclass of a field that is a group: `Period` of `Period` and of `Period | None`."""
    hint = typing.get_type_hints(kind)[field]
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next(choice for choice in choices if is_dataclass(choice))


@lru_cache(maxsize=256)
def field_docs(kind: type) -> Mapping[str, str]:
    """Return the docstrings under the fields of a dataclass, each as one line. They are only in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(text.value.value.split())
    return found
