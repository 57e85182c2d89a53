"""The site is built without a warning, its links lead somewhere, and it loads nothing from another host."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt
from once import made_once

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
GENERATED = ("reference.md",)
"""Pages whose headings are made when the site is built."""
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "use": "href"}
"""Attributes from which a browser loads something by itself."""


def headings(path: Path) -> set[str]:
    """Return the anchors of the headings of a Markdown page."""
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    texts = [after.content for one, after in pairwise(tokens) if one.type == "heading_open"]
    return {slugify(re.sub(r"[`*]", "", text), "-") for text in texts}


def links(path: Path) -> Iterator[str]:
    """Yield the targets of the links of a Markdown page."""
    for token in MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")):
        for inner in token.children or ():
            if inner.type in ("link_open", "image"):
                yield str(inner.attrGet("href") or inner.attrGet("src"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_to_files_and_headings(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https", link
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if parts.fragment and target.name not in GENERATED:  # of these, the test of the site knows the headings
            assert parts.fragment in headings(target), link


def test_every_page_is_linked_from_the_first() -> None:
    """A page that is only in the navigation is not found by those who read the files."""
    reached = {link.partition("#")[0] for link in links(DOCS / "index.md")}
    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} <= reached


class Site:
    """A built site, read as a browser would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}


class Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get("rel") not in ("canonical", "next", "prev") and (value := given.get(LOADED.get(tag, ""), "")):
            self.loads.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site as `make docs` builds it."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "NO_MKDOCS_2_WARNING": "1"}
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment)
        assert run.returncode == 0, run.stdout + run.stderr

    return Site(made_once(tmp_path_factory, "site", make))


@pytest.mark.full
def test_links_of_the_site_lead_somewhere(site: Site) -> None:
    assert len(site.pages) > 15
    for path, page in site.pages.items():
        if path.name == "404.html":  # its links begin at the root of a host
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            assert target in site.pages, f"{path.relative_to(site.folder)}: {link}"
            assert not parts.fragment or unquote(parts.fragment) in site.pages[target].ids, f"{path.name}: {link}"


@pytest.mark.full
def test_the_site_loads_nothing_from_another_host(site: Site) -> None:
    for path, page in site.pages.items():
        assert [place for place in page.loads if urlsplit(place).netloc] == [], path.name
        assert 'class="mermaid"' not in page.text, "the theme would fetch a script to draw it"
    styles = list(site.folder.rglob("*.css"))
    assert styles
    for style in styles:
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']*", text) == [], style.name
    assert "fonts.googleapis.com" not in "".join(page.text for page in site.pages.values())


@pytest.mark.full
def test_every_workflow_is_drawn_with_all_its_nodes(site: Site) -> None:
    page = site.pages[site.folder / "pipeline.html"].text
    drawn = re.findall(r"<!-- graph: ([\w.]+) -->", (DOCS / "pipeline.md").read_text(encoding="utf-8"))
    assert page.count("<svg") >= len(drawn)
    workflows = {
        f"workflows.{path.stem}.{node.name}"
        for path in (ROOT / "workflows").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and any("workflow" in ast.unparse(each) for each in node.decorator_list)
    }
    # Two are the last step of `promote` with another first one.
    assert workflows - set(drawn) == {"workflows.deployment.deploy_champion", "workflows.deployment.rollback"}
    for name in ("validate_labels", "try_seed × n", "alarm?", "retraining (launch plan)", "restore_service"):
        assert f">{name}<" in page


@pytest.mark.full
def test_every_option_and_every_setting_is_on_a_page(site: Site) -> None:
    from assay.cli.main import COMMANDS
    from assay.options import options_of
    from assay.pipeline import TrainingRequest

    commands = site.pages[site.folder / "reference.html"].text
    assert all(f">assay {name}<" in commands for name in COMMANDS)
    for name in options_of(TrainingRequest):
        assert "--data" in commands if name == "source" else f"--{name.replace('_', '-')}" in commands
    settings = site.pages[site.folder / "settings.html"].text
    read = {
        node.value
        for package in ("assay", "tasks")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and re.fullmatch(r"ASSAY_[A-Z_]*[A-Z]", str(node.value))
    }
    inside = {"ASSAY_SERVED_FOR", "ASSAY_CHECK_TOKEN"}  # from one process of a deployment to another
    assert {name for name in read - inside if name not in settings} == set()


@pytest.mark.parametrize("page", ["recommendations.md", "recommandations.fr.md"])
def test_the_report_is_short(page: str) -> None:
    """Four pages when printed: 2,000 words of English and 2,300 of French were three and four of them."""
    assert len((DOCS / page).read_text(encoding="utf-8").split()) < 2_300


def test_both_reports_have_the_same_figures() -> None:
    pages = ("recommendations.md", "recommandations.fr.md")
    english, french = ((DOCS / page).read_text(encoding="utf-8") for page in pages)
    english = re.sub(r"(?<=\d),(?=\d{3}\b)", "", english)
    french = re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"(?<=\d) (?=\d{3}\b)", "", french))
    figure = re.compile(r"(?<![\w.])\d[\d.]*(?:\w*\b)")
    assert sorted(figure.findall(french)) == sorted(figure.findall(english))
