"""Options as arguments of a command line."""

import argparse
import typing
from collections.abc import Mapping
from dataclasses import MISSING
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from assay.options.definition import Option


def add_arguments(
    parser: argparse.ArgumentParser, options: Mapping[str, Option], *, spelled: Mapping[str, str] | None = None
) -> None:
    """Add an argument for each option, grouped as the request is; `given_arguments` reads them back.

    `spelled` gives options another flag, as `source="--data"`; a name without dashes is a positional argument.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in options.values():
        if option.title and option.title not in groups:
            groups[option.title] = parser.add_argument_group(option.title)
        place = groups[option.title] if option.title else parser
        flag = (spelled or {}).get(option.name) or "--" + option.name.replace("_", "-")
        if flag.startswith("-"):
            place.add_argument(flag, dest=option.name, default=argparse.SUPPRESS, help=_help(option), **_kind(option))
        else:  # a positional argument that is missing is reported when the request is built, for a file may give it
            place.add_argument(option.name, nargs="?", default=argparse.SUPPRESS, metavar=flag, help=_help(option))


def given_arguments(namespace: argparse.Namespace, options: Mapping[str, Option]) -> dict[str, Any]:
    """Return the options that were given on the command line, by name. Names in a list may be joined by commas."""
    given = {name: value for name, value in vars(namespace).items() if name in options}
    return {name: _separated(value) if _holds_names(options[name]) else value for name, value in given.items()}


def _holds_names(option: Option) -> bool:
    return option.many and option.read is None


def _separated(values: list[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _kind(option: Option) -> dict[str, Any]:
    """Return the keywords of argparse for an option."""
    metavar = {"metavar": option.metavar} if option.metavar else {}
    if option.many:
        return {"action": "append", **(metavar or {"metavar": "NAME"})}
    if option.read is not None:
        return metavar
    kind = _without_none(option.kind)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    known = {int: "N", float: "NUMBER"}
    return {"type": kind if kind in known else str, **(metavar or {"metavar": known.get(kind, "TEXT")})}


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return next(choice for choice in typing.get_args(kind) if choice is not type(None))
    return kind


def _help(option: Option) -> str:
    """Return the docstring of the field with its default; argparse expands % in it."""
    default = option.default
    if option.base is not None and not option.chooses:
        shown = f"the {option.base.option}'s"
    elif default is MISSING or default is None or default == () or option.default == "":
        shown = ""
    elif option.plain is not None:
        shown = "" if option.many else str(option.plain(default))
    else:
        shown = {True: "yes", False: "no"}.get(default, str(default)) if isinstance(default, bool) else f"{default}"
    text = option.help.replace("`", "").replace("%", "%%")
    return f"{text} (default: {shown})" if shown else text
