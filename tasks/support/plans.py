"""What launch plans are registered with: schedules and inputs from one TOML file for each environment."""

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from tasks.support.settings import ROOT

PLANS = "ASSAY_PLANS"
"""Environment variable that names the file; without it, that of the sandbox is read."""


@dataclass(frozen=True)
class Plan:
    """One table of the file."""

    schedule: str
    """A cron of five fields, UTC."""
    inputs: dict[str, Any]
    """Inputs of the workflow by name."""


def read_plan(name: str, inputs: dict[str, tuple[type, Any]], kickoff: str) -> Plan:
    """Return the plan of that name for a workflow.

    `inputs`: name -> (type, default) of the workflow's inputs; the default is None if an input is required. `kickoff`:
    the input that the schedule fills. A table as a value, such as `options = { epochs = 5 }`, becomes JSON. Raise
    InputError if the file or the plan is missing, an input is unknown, or a required one is not given.
    """
    file = Path(os.environ.get(PLANS) or ROOT / "workflows" / "plans.toml")
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"no launch plans can be read: {error}", where=str(file), fix=f"Set {PLANS}") from error
    if not isinstance(tables.get(name), dict) or not isinstance(tables[name].get("schedule"), str):
        raise InputError(f"no table [{name}] with a schedule", where=str(file), fix="See workflows/plans.toml")
    given = {key: _plain(value) for key, value in tables[name].items() if key != "schedule"}
    unknown = [key for key in given if key not in inputs or key == kickoff]
    missing = [key for key, (_, default) in inputs.items() if default is None and key not in given and key != kickoff]
    missing = [key for key in missing if type(None) not in getattr(inputs[key][0], "__args__", ())]
    if unknown or missing:
        what = f"unknown: {', '.join(unknown)}" if unknown else f"not given: {', '.join(missing)}"
        raise InputError(
            f"inputs of [{name}] {what}",
            where=str(file),
            fix=f"It takes {', '.join(k for k in inputs if k != kickoff)}",
        )
    return Plan(tables[name]["schedule"], given)


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
