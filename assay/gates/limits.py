"""The limits of the gates, and how people write them: `shortcuts.excess=0.3`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from assay.errors import InputError
from assay.gates.counterfactuals import CounterfactualLimits
from assay.gates.leak import LeakLimits
from assay.gates.shortcuts import ShortcutLimits
from assay.options import plain_settings, written
from assay.storage import only_known_fields, parse_setting

WHERE = "limits of the gates"


@only_known_fields
@dataclass(frozen=True)
class GateLimits:
    """The limits of all gates."""

    shortcuts: ShortcutLimits = field(default_factory=ShortcutLimits)
    """Limits on how much of the score may come from length, format, source and page kind."""
    counterfactuals: CounterfactualLimits = field(default_factory=CounterfactualLimits)
    """Limits on how far changes that should not matter may move the model."""
    leak: LeakLimits = field(default_factory=LeakLimits)
    """Limits on how much of the test part may have fitted the model."""


def limit_names() -> list[str]:
    """Return the names of all limits, as `gate.limit`."""
    limits = GateLimits()
    return [f"{gate.name}.{limit.name}" for gate in fields(limits) for limit in fields(getattr(limits, gate.name))]


def read_limits(given: Sequence[str]) -> GateLimits:
    """Return the default limits, with those of `given` (`gate.limit=number`) in their place.

    Of a name that occurs twice, the last one counts. Raise InputError for an unknown name, for something that is not a
    number, and for a number that the gate does not accept.
    """
    limits, known = GateLimits(), limit_names()
    figures: dict[str, dict[str, str]] = {}
    for entry in given:
        name, _, figure = (part.strip() for part in entry.partition("="))
        if name not in known:
            raise InputError(f"no limit {name!r}", where=WHERE, fix=f"Name one of: {', '.join(known)}")
        gate, _, limit = name.partition(".")
        figures.setdefault(gate, {})[limit] = figure
        # Parsed after each entry, so that the message names the entry at fault.
        limits = parse_setting(
            GateLimits, figures, what=f"the limit {entry!r}", where=WHERE, fix=f"Give {name}= and a number"
        )
    return limits


GATE_LIMIT = written(read_limits, plain=plain_settings, many=True, name="gate_limit", metavar="NAME=NUMBER")
"""Metadata of a request's field of GateLimits."""
