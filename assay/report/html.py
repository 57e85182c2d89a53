"""Render a report as one HTML file that loads nothing from elsewhere, or as a fragment for a Deck."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from assay.report.blocks import Block, Callout, Facts, Figure, Prose, Report, Table, Texts, cell, printable
from assay.storage import staged_file

FOLDED = 400
"""Characters above which a text is folded."""
MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink", "reference"])
"""Prose has no links of its own, and those of data are shown as text."""
ONE_PIECE = 16
"""Characters up to which a cell is not broken into lines."""


def _numeric(cells: Sequence[Any]) -> bool:
    kinds = {type(value) for value in cells if value is not None}
    return bool(kinds) and all(issubclass(kind, int | float) and kind is not bool for kind in kinds)


def _python(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _table(block: Table) -> dict[str, Any]:
    # Not by `to_html` of pandas: beside an empty cell it shows whole numbers as floats.
    names = [printable(str(column)) for column in block.frame.columns]
    rows = [[_python(value) for value in row] for row in block.frame.astype(object).itertuples(index=False)]
    cells = [[printable(cell(value)) for value in row] for row in rows]
    kinds = ["n" if _numeric([row[place] for row in rows]) else _text_kind(cells, place) for place in range(len(names))]
    return {
        "kind": "table",
        "caption": printable(block.caption),
        "heads": list(zip(names, kinds, strict=True)),
        "rows": [list(zip(row, kinds, strict=True)) for row in cells],
    }


def _text_kind(cells: Sequence[Sequence[str]], place: int) -> str:
    """Return the style of a text column: `s` keeps its cells on one line, so dates, digests and words stay readable."""
    return "s" if all(len(row[place]) <= ONE_PIECE for row in cells) else ""


def _context(block: Block) -> dict[str, Any]:
    """Return the values of a block for the template.

    The template escapes everything but `Markup`: our own SVG, and Markdown rendered with HTML disabled.
    """
    match block:
        case Prose(markdown):
            return {"kind": "prose", "html": Markup(MARKDOWN.render(printable(markdown)))}
        case Facts(items):
            return {"kind": "facts", "entries": [(printable(k), printable(v)) for k, v in items.items()]}
        case Callout(text, level):
            return {"kind": "callout", "text": printable(text), "level": level}
        case Table():
            return _table(block)
        case Figure(svg, caption):
            return {"kind": "figure", "svg": Markup(svg), "caption": printable(caption)}
        case Texts(items):
            shown = []
            for item in items:
                text = printable(item.text)
                long = len(text) > FOLDED
                start = text[: FOLDED // 2].rsplit(" ", 1)[0] if long else text
                rest = text if long else ""
                shown.append(
                    {"heading": printable(item.heading), "notes": printable(item.notes), "start": start, "rest": rest}
                )
            return {"kind": "texts", "entries": shown}


def render_fragment(report: Report) -> str:
    """Return the style and body of a page without its shell, for a Deck."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.jinja").render(
        title=printable(report.title),
        subtitle=printable(report.subtitle),
        sections=[
            {"title": printable(section.title), "blocks": [_context(block) for block in section.blocks]}
            for section in report.sections
        ],
    )


def render_html(report: Report) -> str:
    """Return a complete page that needs no other file."""
    title = Markup.escape(printable(report.title))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n"
        "<style>body{margin:0;background:#fff}@media (prefers-color-scheme:dark){body{background:#15181c}}</style>\n"
        f"</head>\n<body>\n{render_fragment(report)}</body>\n</html>\n"
    )


def fragment_of(page: str) -> str:
    """Return the fragment inside a page of `render_html`."""
    return page.partition("<body>\n")[2].rpartition("</body>")[0]


def write_html(report: Report, path: Path) -> None:
    """Write the page of a report. The file appears when it is complete."""
    with staged_file(path) as partial:
        partial.write_text(render_html(report), encoding="utf-8")
