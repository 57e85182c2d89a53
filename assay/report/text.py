"""Render a report as Markdown with the YAML head of a card, and print tables on the terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table as Printed
from rich.text import Text

from assay.report.blocks import Block, Callout, Facts, Figure, Prose, Report, Table, Texts, cell, printable

CODE = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
"""A code span of CommonMark, in which nothing is markup."""
ENTITIES = {ord("<"): "&lt;", ord("["): "&#91;", ord("]"): "&#93;"}
"""Without these characters there is no link, no image and no HTML. A backslash before one would not do: data may have
another one before it."""


def _inert(markdown: str) -> str:
    """Return Markdown in which links, images and HTML are shown as text. Emphasis, lists and code spans stay."""
    parts, end = [], 0
    for span in CODE.finditer(markdown):
        parts += [markdown[end : span.start()].translate(ENTITIES), span[0]]
        end = span.end()
    return "".join([*parts, markdown[end:].translate(ENTITIES)])


def _escaped(value: object) -> str:
    return printable(cell(value)).translate(ENTITIES).replace("|", "\\|").replace("\n", " ")


def _markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_escaped(value) for value in line) + " |" for line in lines)


def _quoted(text: str) -> str:
    """Return a text as a Markdown quotation, with its line breaks, and its own marks escaped."""
    lines = re.sub(r"([\\`*_#|])", r"\\\1", printable(text)).translate(ENTITIES).splitlines()
    return "\n".join(f"> {line}  " for line in lines)


def _block(block: Block) -> str:
    match block:
        case Prose(markdown):
            return _inert(printable(markdown))
        case Facts(items):
            return _markdown_table(["", ""], list(items.items()))
        case Callout(text):
            return f"> {_escaped(text)}"
        case Table(frame, caption):
            rows = _markdown_table(list(frame.columns), frame.astype(object).itertuples(index=False))
            return f"{_escaped(caption)}\n\n{rows}" if caption else rows
        case Figure(_, caption):
            return f"*Figure: {_escaped(caption)}; see report.html.*"
        case Texts(items):
            return "\n\n".join(
                f"**{_escaped(item.heading)}** {_escaped(item.notes)}\n\n{_quoted(item.text)}" for item in items
            )


def render_markdown(report: Report, head: Mapping[str, Any] | None = None) -> str:
    """Return Markdown, below `head` as YAML between two lines of ---. Only the captions of figures are shown."""
    parts = [f"# {_escaped(report.title)}"]
    if report.subtitle:
        parts.append(_escaped(report.subtitle))
    for section in report.sections:
        parts += [f"## {_escaped(section.title)}", *[_block(block) for block in section.blocks]]
    front = f"---\n{yaml.safe_dump(dict(head), sort_keys=False, allow_unicode=True)}---\n\n" if head else ""
    return front + "\n\n".join(parts) + "\n"


def print_table(title: str, frame: pd.DataFrame, console: Console | None = None) -> None:
    """Print a table on standard output, as wide as the terminal allows."""
    shown = console or Console(highlight=False)
    # `Text` everywhere: rich reads a plain string as markup, so `[red]` in a document would colour the table.
    table = Printed(title=Text(title), title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for column in frame.columns:
        table.add_column(Text(str(column)), overflow="fold")
    for row in frame.astype(object).itertuples(index=False):
        table.add_row(*[Text(printable(cell(value))) for value in row])
    shown.print()
    shown.print(table)
    shown.print()
