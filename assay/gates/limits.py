"""Limits of the gates as people write them: `shortcuts.excess=0.3`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from assay.errors import InputError
from assay.gates.counterfactuals import CounterfactualLimits
from assay.gates.leak import LeakLimits
from assay.gates.shortcuts import ShortcutLimits

WHERE = "limits of the gates"


@dataclass(frozen=True)
class GateLimits:
    """Limits of all gates."""

    shortcuts: ShortcutLimits = field(default_factory=ShortcutLimits)
    """How much of the score may come from length, format, source and page kind."""
    counterfactuals: CounterfactualLimits = field(default_factory=CounterfactualLimits)
    """How far changes that should not matter may move it."""
    leak: LeakLimits = field(default_factory=LeakLimits)
    """What of the test part may have fitted the model."""


def limit_names() -> list[str]:
    """All that can be limited, as `gate.limit`."""
    limits = GateLimits()
    return [f"{gate.name}.{limit.name}" for gate in fields(limits) for limit in fields(getattr(limits, gate.name))]


def read_limits(given: Sequence[str]) -> GateLimits:
    """The usual limits, with those of `given` in their place; of a name that stands there twice, the last.

    Raises InputError for something that is not `name=number`, for an unknown name, and for a figure that the gate
    cannot have.
    """
    limits, known = GateLimits(), limit_names()
    for entry in given:
        name, _, figure = (part.strip() for part in entry.partition("="))
        if name not in known:
            raise InputError(f"no limit {name!r}", where=WHERE, fix=f"Name one of: {', '.join(known)}")
        gate, _, field = name.partition(".")
        kind = type(getattr(getattr(limits, gate), field))
        try:
            value = kind(figure)
            if not math.isfinite(value):
                raise ValueError(figure)
        except ValueError as error:
            raise InputError(
                f"{entry!r} is no limit",
                where=WHERE,
                fix=f"Give {name}= and a {'whole ' if kind is int else ''}number",
            ) from error
        limits = replace(limits, **{gate: replace(getattr(limits, gate), **{field: value})})
    return limits
