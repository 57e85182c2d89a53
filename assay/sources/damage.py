"""Report the parts of a file that give no document. Reading continues behind them if the format allows it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

LONGEST = 300
"""Most characters of a reason. Parsers repeat the content that they refuse, up to a whole page."""

SHOWN = 8
"""Most reasons in one message."""


@dataclass(frozen=True)
class Damage:
    """A part of a file that cannot be read."""

    place: str
    """`line 7` or `byte 4096`; empty if it is the whole file, or all the rest of it."""
    what: str
    """The reason, as a predicate: `is truncated`."""


@dataclass(frozen=True)
class Passed:
    """Parts of a source that can be read and hold no document: pictures, requests, redirects, files of other kinds."""

    reason: str
    """The rule and what it found: `content type: image/png`."""
    count: int
    first: str = ""
    """Name or place of the first of them."""


DamageHandler: TypeAlias = Callable[[Damage | Passed], None]
"""Function that is called once for each damaged part, and once for each reason to pass over parts."""


def listed(passed: Iterable[Passed]) -> str:
    """Return what was passed over as a phrase: `3 × another kind: .txt (notes.txt)`."""
    most = sorted(passed, key=lambda each: -each.count)
    words = [f"{each.count:,} × {each.reason}" + (f" ({each.first})" if each.first else "") for each in most[:SHOWN]]
    rest = sum(each.count for each in most[SHOWN:])
    return ", ".join(words) + (f", {rest:,} more" if rest else "")


def in_words(error: BaseException) -> str:
    """Return the first line of an error, or the name of its type if it has no words; at most LONGEST characters."""
    words = str(error).splitlines()
    return shortened(words[0]) if words and words[0] else type(error).__name__


def shortened(text: str, most: int = LONGEST) -> str:
    """Return at most `most` characters of a text."""
    return text if len(text) <= most else f"{text[:most]} …"


def is_panic(error: BaseException) -> bool:
    """Return True for a panic of an extension in Rust. It is no Exception, and pyo3 gives its type no public name."""
    return type(error).__name__ == "PanicException"
