"""The request of a workflow: its flat inputs and its `options`, together one dataclass of the library."""

import json
from typing import Any, TypeVar

from assay.errors import InputError
from assay.options import ENDINGS, build, options_of, plain_options, read_options, read_options_file, read_values
from tasks.support.settings import shipped_file

R = TypeVar("R")


def read_request(kind: type[R], options: str, **inputs: Any) -> R:
    """Build a request from a workflow's `options` and its flat inputs.

    `options` is YAML or JSON, or the name of such a file that is shipped with the code, such as
    `configs/education.yaml`. An input that is empty or has the request's default leaves the value of `options`. Raise
    InputError if both give different values, and as `build`.
    """
    given, where = _read(options)
    read_values(kind, given, where=where)
    defaults = options_of(kind)  # type: ignore[arg-type]  # mypy takes type[R] for unhashable
    for name, value in inputs.items():
        if value is None or value == "" or value == defaults[name].default:
            continue
        if name in given and given[name] != value:
            raise InputError(
                f"{name} is {value!r} as an input and {given[name]!r} in {where}", fix="Give it in one place"
            )
        given[name] = value
    return build(kind, given)


def options_text(request: Any) -> str:
    """Return the options of a request as JSON, without defaults, for the `options` of another workflow.

    Equal requests give equal text: it may key a cache.
    """
    return json.dumps(plain_options(request, defaults=False), sort_keys=True, ensure_ascii=False)


def _read(options: str) -> tuple[dict[str, Any], str]:
    text = options.strip()
    if text.endswith(ENDINGS) and "\n" not in text:
        return read_options_file(shipped_file(text)), text
    return read_options(text), "options"
