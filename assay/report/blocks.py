"""The blocks and sections of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd


@dataclass(frozen=True)
class Prose:
    """Markdown text. Links, images and HTML in it are shown as text: names and values of data are in it."""

    markdown: str


@dataclass(frozen=True)
class Facts:
    """Key figures: name -> value."""

    items: Mapping[str, str]


@dataclass(frozen=True)
class Callout:
    """A sentence in a coloured box."""

    text: str
    level: Literal["good", "note", "warn", "bad"] = "note"


@dataclass(frozen=True)
class Table:
    """A table. Numbers are aligned to the right, and floats have three decimals."""

    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """An SVG by one of the chart functions. It is put into the page unescaped."""

    svg: str
    caption: str = ""


@dataclass(frozen=True)
class TextItem:
    """A document shown with its text."""

    heading: str
    text: str
    notes: str = ""


@dataclass(frozen=True)
class Texts:
    """Documents. Long ones are folded."""

    items: Sequence[TextItem]


Block: TypeAlias = Prose | Facts | Callout | Table | Figure | Texts


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A title and sections."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = field(default_factory=tuple)


def cell(value: object) -> str:
    """Return a table cell as text: three decimals, separators of thousands, and nothing for a missing value."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return str(value)


def printable(text: str) -> str:
    """Replace characters that cannot be shown: lone surrogates, NUL and other control characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char in "\n\t" or (char >= " " and not "\x7f" <= char <= "\x9f") else "�" for char in whole)
