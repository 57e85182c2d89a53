"""A figure on a page is a measured one, by benchmarks/figures.yaml and the heading of RESULTS.md that it names."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
FIGURES = yaml.safe_load((ROOT / "benchmarks" / "figures.yaml").read_text(encoding="utf-8"))
FIGURE = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d*\.\d+)(?!\.?\d)")
"""A decimal fraction, or a number with a separator of thousands."""
NOT_MEASURED = {
    "README": {"3.11", "20,000"},  # Python's version; below so many labels a model is fitted again
    "index": set(),
    "model": {
        "0.02",
        "0.3",
        "0.6",
        "20,000",
        "0.7455",
        ".384",
        "88,000",
    },  # limits, and others' figures with their source
    "labels": {"2.7", "20,000"},  # 1 + 5/3, reckoned there
    # Limits, defaults and bins; what a plan for ten billion documents reckons from measured rates.
    "corpora": {"0.02", "1,000", "5,000", "10,000", "65,536", "100,000", "1,739", "2,000,000"},
    "promotion": {"0.7", "2.5"},
    "serving": {"0.15", "1,000", "1.5"},  # limits of a canary, and a size of its simulation
    # Limits, as the makers of other systems state them, with their source; a version.
    "recommendations": {"1.9", "10,000", "5,000", "100,000"},
}
"""Page -> numbers of a page that were not measured, or are settings."""


def text_of(page: str) -> str:
    """Return the text of a page, with numbers as in English, without code, targets of links, and versions."""
    path = ROOT / ("README.md" if page == "README" else f"docs/{page}.md")
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^Versions:.*?\n\n", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|arXiv [\d.]+|\[Apache-2.0", "", text, flags=re.DOTALL)
    if page.endswith(".fr"):
        text = re.sub(r"(?<=\d) (?=\d{3}\b)", "THOUSANDS", text)
        text = re.sub(r"(?<=\d),(?=\d)", ".", text).replace("THOUSANDS", ",")
    return text


def shown_on(page: str) -> set[str]:
    """Return the figures of a page."""
    return set(FIGURE.findall(text_of(page)))


def section(heading: str) -> str:
    """Return the text below a heading of RESULTS.md, up to the next one."""
    parts = re.split(r"^#+ (.*)\n", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if title == heading]
    assert len(found) == 1, f"RESULTS.md has {len(found)} headings {heading!r}"
    return found[0]


@pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry["what"][:60])
def test_a_figure_is_in_the_results_and_on_its_pages(entry: dict) -> None:
    figures = FIGURE.findall(str(entry["figures"]))
    assert figures
    measured = set(FIGURE.findall(section(entry["section"])))
    assert set(figures) <= measured, entry["section"]
    for page in entry["pages"]:
        on_page = shown_on(page)
        # A page may show the first of the figures alone: the rest says what it stands beside.
        assert set(figures) & on_page, page


@pytest.mark.parametrize("page", sorted(NOT_MEASURED))
def test_a_page_shows_no_other_figure(page: str) -> None:
    known = {figure for entry in FIGURES if page in entry["pages"] for figure in FIGURE.findall(str(entry["figures"]))}
    assert shown_on(page) - known - NOT_MEASURED[page] == set()
