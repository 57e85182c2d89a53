"""Describe commands and settings from the code: argparse's own parsers, and the docstrings of the settings' fields."""

import argparse
import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from graphs import cell
from repository import ROOT

HEADINGS = {"positional arguments": "Arguments", "options": "Options"}


def commands() -> str:
    """Return a Markdown section for each command of `assay`, with a table of its arguments."""
    from assay.cli.main import _parser

    return "\n\n".join(section for name, parser in _parsers(_parser()) for section in _sections(name, parser))


def service_settings() -> str:
    """Return a Markdown table of the service's settings."""
    from assay.options.definition import field_docs
    from assay.serving.settings import ServeSettings, variable

    docs = field_docs(ServeSettings)
    rows = ["| variable | default | |", "|---|---|---|"]
    for field in dataclasses.fields(ServeSettings):
        default = field.default
        shown = "" if default in ((), None, "") else f"`{default}`"
        rows.append(f"| `{variable(field.name)}` | {shown} | {cell(docs[field.name])} |")
    return "\n".join(rows)


def target_settings() -> str:
    """Return a Markdown table of the settings of a deployment target."""
    from assay.deployment import setting_help

    rows = ["| variable | option | default | |", "|---|---|---|---|"]
    for name, (text, default) in setting_help(canary=True).items():
        shown = f"`{default}`" if default else ""
        rows.append(f"| `ASSAY_DEPLOY_{name.upper()}` | `--{name.replace('_', '-')}` | {shown} | {cell(text)} |")
    return "\n".join(rows)


def recipes() -> str:
    """Return a Markdown table of the recipes of training: what each sets apart from the defaults."""
    from assay.training import RECIPES, TrainConfig

    rows = ["| recipe | differs from `default` in | |", "|---|---|---|"]
    for name, make in RECIPES.items():
        made, usual = make(), TrainConfig()
        changed = [
            f"`{field.name}`: {_value(getattr(made, field.name))}"
            for field in dataclasses.fields(TrainConfig)
            if getattr(made, field.name) != getattr(usual, field.name)
        ]
        doc = re.sub(r"^Return (the recipe `\w+`: )?", "", " ".join((make.__doc__ or "").split()))
        rows.append(f"| `{name}` | {', '.join(changed) or '–'} | {cell(_capital(doc))} |")
    return "\n".join(rows)


def rooms() -> str:
    """Return a Markdown table of the rooms of `assay/`, in the layers of pyproject.toml, with their own docstrings."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["assay"]]
    rows = ["| layer | room | purpose |", "|---|---|---|"]
    for number, layer in enumerate(layers, 1):
        for name in layer.split(" | "):
            file = next(f for f in (ROOT / "assay" / name / "__init__.py", ROOT / "assay" / f"{name}.py") if f.exists())
            purpose = " ".join(
                (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split()
            )
            rows.append(f"| {number} | `{name}` | {cell(purpose)} |")
    return "\n".join(rows)


def _value(value: Any) -> str:
    """Return a setting as people write it; windows are a dataclass of their own."""
    if dataclasses.is_dataclass(value):
        return ", ".join(f"{field.name} {getattr(value, field.name)}" for field in dataclasses.fields(value))
    return f"`{value}`"


def _parsers(parser: Any, name: str = "assay") -> Iterator[tuple[str, Any]]:
    """Yield each command with its completed parser, actions of a command after it."""
    if getattr(parser, "complete", None) is not None:
        complete, parser.complete = parser.complete, None
        complete(parser)
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if name != "assay":
        yield name, parser
    for action in inner:
        helps = {choice.dest: choice.help for choice in action._choices_actions}
        for each, below in action.choices.items():
            below.description = below.description or _sentence(helps.get(each) or "")
            yield from _parsers(below, f"{name} {each}")


def _sections(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"{'##' if name.count(' ') == 1 else '###'} {name}"
    if parser.description:
        yield cell(parser.description)
    for group in parser._action_groups:
        actions = [
            action
            for action in group._group_actions
            if action.help != argparse.SUPPRESS
            and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        ]
        if actions:
            title = HEADINGS.get(group.title or "", _capital(group.title or ""))
            yield "\n".join([f"**{title}**", "", "| | |", "|---|---|", *(_row(parser, action) for action in actions)])


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    if action.option_strings:
        value = "" if action.nargs == 0 else " " + formatter._format_args(action, _metavar(action))
        name = ", ".join(action.option_strings) + value
    else:
        name = str(action.metavar or action.dest)
    text = formatter._expand_help(action) if action.help else ""
    marks = ["required"] if action.required and action.option_strings else []
    if isinstance(action, argparse._AppendAction) and "several times" not in text:
        marks.append("may be given several times")
    mark = f" *({', '.join(marks)})*" if marks else ""
    return f"| <code>{cell(name)}</code> | {cell(_sentence(text))}{mark} |"


def _metavar(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    text = _capital(" ".join(text.split()))
    return text if not text or text.endswith((".", ")", "…")) else f"{text}."
