"""Reports: data never becomes markup, a page loads nothing from elsewhere, and the same data gives the same bytes."""

import re
import string
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assay.report import (
    Callout,
    Facts,
    Figure,
    Prose,
    Report,
    Section,
    Table,
    TextItem,
    Texts,
    chart_calibration,
    chart_confusion,
    chart_intervals,
    chart_lines,
    chart_precision_recall,
    chart_score_by_label,
    print_table,
    render_fragment,
    render_html,
    render_markdown,
    write_html,
)

NASTY = "<script>alert(1)</script><img src=x onerror=y>&\x00\x07\ud800 | ```"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))


def tags_of(page: str) -> list[tuple[str, dict]]:
    parser = Tags()
    parser.feed(page)
    return parser.found


def report_of(text: str) -> Report:
    cells = text.replace("\ud800", "")  # pandas has no place for half a pair
    frame = pd.DataFrame(
        {cells or "x": [cells, None, "b"], "n": [1.23456, float("nan"), 2], "yes": [True, False, True]}
    )
    return Report(
        text,
        text,
        [
            Section(
                text,
                [
                    Prose(text),
                    Facts({text: text}),
                    Callout(text, "bad"),
                    Table(frame, text),
                    Figure(chart_lines({text: ([1, 2], [3, 4])}, x="x", y="y", name=text), text),
                    Texts([TextItem(text, text * 200, text)]),
                ],
            )
        ],
    )


def test_nothing_from_data_becomes_markup_or_breaks_the_page() -> None:
    page = render_html(report_of(NASTY))

    page.encode("utf-8")
    names = [name for name, _ in tags_of(page)]
    assert "script" not in names
    assert "img" not in names
    assert "\x00" not in page
    assert not any(key.startswith("on") for _, attributes in tags_of(page) for key in attributes)


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet=string.printable + "<>&\"'\x00\u2028\ud800é数", max_size=60))
def test_any_text_renders_with_the_same_tags(text: str) -> None:
    def shape(page: str) -> list[str]:
        return [name for name, _ in tags_of(page) if name in ("section", "table", "td", "article", "dl", "figure")]

    rendered = Report("t", "s", [Section(text, [Facts({text: text}), Callout(text), Texts([TextItem(text, text)])])])
    plain = Report("t", "s", [Section("x", [Facts({"x": "x"}), Callout("x"), Texts([TextItem("x", "x")])])])

    assert shape(render_html(rendered)) == shape(render_html(plain))
    render_markdown(rendered).encode("utf-8")


ACTIVE = (
    "[a](https://stranger.example/x)",
    "![a](https://stranger.example/x.png)",
    "<https://stranger.example/x>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>a</a>",
    "\\[a](https://stranger.example/x)",
    "\\\\[a\\](https://stranger.example/x)",
    "[a]: https://stranger.example/x\n\n[a]",
    "```[a](https://stranger.example/x)` `",
    "\\`[a](https://stranger.example/x)`",
    "`` ` ``![a](https://stranger.example/x)`",
    "a | b ![a](https://stranger.example/x) |",
    "$\\frac$ $x^2$",
)


def active(page: str) -> list[str]:
    """Return the elements of a page that lead or load elsewhere, or run something. Links of a chart to its own parts
    are none."""
    found = []
    for name, attributes in tags_of(page):
        leads = any(str(attributes.get(key) or "#")[0] != "#" for key in ("href", "src", "xlink:href", "action"))
        if leads or name in ("script", "img", "iframe", "object", "embed", "form", "link", "base"):
            found.append(name)
        found += [key for key in attributes if key.startswith("on")]
    return found


def rendered(markdown: str) -> str:
    """Return Markdown as a page that a hub would show: with tables, and with the HTML that is in it."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.partition("---\n\n")[2] or markdown)


@pytest.mark.parametrize("text", ACTIVE)
def test_no_page_and_no_card_has_an_active_element_of_data(text: str) -> None:
    report = report_of(text)

    assert active(render_html(report)) == []
    assert active(rendered(render_markdown(report, {"pretty_name": text}))) == []
    assert active(rendered(text)) or "$" in text or "`" in text or "\\[" in text, "plain Markdown would have one"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*"[]()!<>`\\|:a \n", "https://x.y", "<b>", "](", "![", "``", "&#91;"]), max_size=24))
def test_no_mixture_of_marks_makes_an_active_element(marks: list[str]) -> None:
    text = "".join(marks)
    blocks = [Prose(text), Facts({text: text}), Callout(text), Texts([TextItem(text, text, text)])]
    report = Report(text, text, [Section(text, blocks)])

    assert active(render_html(report)) == []
    assert active(rendered(render_markdown(report))) == []


def test_code_spans_and_emphasis_of_prose_stay() -> None:
    report = Report("t", sections=[Section("s", [Prose("**All** of `a[0] <b>` and *[b]*")])])

    assert "**All** of `a[0] <b>` and *&#91;b&#93;*" in render_markdown(report)
    page = rendered(render_markdown(report))
    assert "<strong>All</strong> of <code>a[0] &lt;b&gt;</code> and <em>[b]</em>" in page


def test_a_page_loads_nothing_from_elsewhere_and_has_its_parts(tmp_path: Path) -> None:
    write_html(report_of("A title"), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")

    for _, attributes in tags_of(page):
        for name in ("src", "href", "xlink:href"):
            assert not str(attributes.get(name, "")).startswith(("http", "//"))
    assert "url(http" not in page
    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    svg = [attributes for name, attributes in tags_of(page) if name == "svg"]
    assert svg[0]["role"] == "img"
    assert svg[0]["aria-label"] == "A title"
    assert "<details>" in page
    assert "1.235" in page
    assert "nan" not in page
    assert "<html" not in render_fragment(report_of("A title"))


def test_charts_accept_little_data_and_are_the_same_each_time() -> None:
    def draw() -> list[str]:
        return [
            chart_score_by_label([3], [1.0]),
            chart_score_by_label([0, 1, 2.5, 2.5], [0.1, 0.2, 2.4, 3.0]),
            chart_precision_recall({}),
            chart_precision_recall({"m": ([0.5, 1], [1, 0.5])}, (0.7, 0.8)),
            chart_calibration([], [], [], []),
            chart_calibration([0.2], [0.3], [0.1], [0.5]),
            chart_confusion(np.array([[3, 1], [0, 2]]), ["0", "1"]),
            chart_intervals(["a", "b"], [0.5, 0.6], [0.4, None], [0.6, None], x="F1"),
            chart_lines({"a": ([0, 1], [1, 2]), "b": ([], [])}, x="x", y="y", name="n"),
        ]

    first = draw()
    assert draw() == first
    assert all(svg.startswith("<svg ") and svg.rstrip().endswith("</svg>") for svg in first)
    assert max(len(svg) for svg in first) < 60_000


def test_markdown_is_a_model_card(capsys: pytest.CaptureFixture[str]) -> None:
    card = render_markdown(report_of("A | b <c>"), {"language": ["en"], "tags": ["x"]})

    head = yaml.safe_load(card.split("---\n")[1])
    assert head == {"language": ["en"], "tags": ["x"]}
    table_lines = [line for line in card.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (3, 4) for line in table_lines)

    print_table("Title [bold]", pd.DataFrame({"a": ["[red]x[/red]"], "b": [0.12345]}))
    printed = capsys.readouterr().out
    assert "Title [bold]" in printed
    assert "[red]x[/red]" in printed
    assert "0.123" in printed
