"""Options as YAML or JSON: the file of `--config`, and the `options` input of a workflow."""

import datetime
import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from assay.errors import InputError

ENDINGS = (".yaml", ".yml", ".json")


def read_options(text: str, *, where: str = "options") -> dict[str, Any]:
    """Return the options in a text of YAML or JSON, by name; no text gives no options.

    Raise InputError if it is neither, is no mapping, or gives an option twice.
    """
    try:
        found = _parsed(text)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"this is neither YAML nor JSON: {error}", where=where, fix="Write NAME: VALUE") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InputError("these are no options by name", where=where, fix="Write NAME: VALUE, one a line")
    return {name: _undated(value) for name, value in found.items()}


def read_options_file(file: Path) -> dict[str, Any]:
    """Return the options in a file. Raise InputError if it cannot be read, and as `read_options`."""
    if file.suffix not in ENDINGS:
        raise InputError("options are a file of YAML or JSON", where=str(file), fix=f"Name it {', '.join(ENDINGS)}")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the options cannot be read: {error}", where=str(file), fix="Name a file of YAML") from error
    return read_options(text, where=str(file))


def _parsed(text: str) -> Any:
    # YAML reads nearly all of JSON, but not characters beyond U+FFFF in JSON's own escapes.
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError:
        return yaml.load(text, _Loader)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice([name for name, _ in pairs])
    return dict(pairs)


def _refuse_twice(names: list[Any]) -> None:
    """Raise ValueError if a name is given twice: both parsers silently take the last one."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice")


def _undated(value: Any) -> Any:
    """YAML makes a date of 2026-01-31; options are given it as text, in the same form."""
    return value.isoformat() if isinstance(value, datetime.date) else value


class _Loader(yaml.SafeLoader):
    """Reads plain values only, and refuses a name that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        _refuse_twice([key.value for key, _ in node.value])
        return super().construct_mapping(node, deep)
