"""What could not be read of a file, and who is told: reading goes on behind it where that is possible."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Damage:
    """A place in a file from which nothing could be had."""

    place: str
    """`line 7` or `byte 4096`; empty where it is the whole file, or all the rest of it."""
    what: str


Tell: TypeAlias = Callable[[Damage], None]
