"""What a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd


@dataclass(frozen=True)
class Prose:
    """Markdown; HTML in it is shown, not obeyed."""

    markdown: str


@dataclass(frozen=True)
class Facts:
    """Key figures under their names."""

    items: Mapping[str, str]


@dataclass(frozen=True)
class Callout:
    """One thing that must not be overlooked."""

    text: str
    level: Literal["good", "note", "warn", "bad"] = "note"


@dataclass(frozen=True)
class Table:
    """A table; numbers are aligned to the right and shown with three decimals."""

    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """An SVG made by one of the chart functions."""

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
    """Documents, folded where they are long."""

    items: Sequence[TextItem]


Block: TypeAlias = Prose | Facts | Callout | Table | Figure | Texts


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A title and sections."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = field(default_factory=tuple)


def cell(value: object) -> str:
    """A table cell as text: three decimals, thousands apart, nothing for what is missing."""
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
    """Without what no reader can show: lone surrogates, NUL and other control characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char in "\n\t" or (char >= " " and not "\x7f" <= char <= "\x9f") else "�" for char in whole)
