"""Report the parts of a file that cannot be read. Reading continues behind them if the format allows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Damage:
    """A part of a file that cannot be read."""

    place: str
    """`line 7` or `byte 4096`; empty if it is the whole file, or all the rest of it."""
    what: str
    """The reason, as a predicate: `is truncated`."""


DamageHandler: TypeAlias = Callable[[Damage], None]
"""Function that is called once for each damaged part."""
