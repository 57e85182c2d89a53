"""Put files of the repository that pages link to into the site, so that no link leaves it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BELOW = "repository"
"""Folder of the site in which these files are."""
LINK = re.compile(r"(?<!!)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
"""A Markdown link to a file, with or without a heading: no URL, no picture, and no heading of the same page."""
LANGUAGES = {
    ".py": "python",
    ".sh": "bash",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".json": "json",
    ".tf": "hcl",
}
NAMES = {"Makefile": "make", "Dockerfile": "docker"}


def path_of(uri: str) -> str:
    """Return the path in the repository of a page of the site, such as `docs/model.md`."""
    if uri.startswith(f"{BELOW}/"):
        inside = uri.removeprefix(f"{BELOW}/")
        return inside if (ROOT / inside).is_file() else inside.removesuffix(".md")
    return f"docs/{uri}"


def uri_of(path: str) -> str:
    """Return the page of the site that shows a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{BELOW}/{path}" if path.endswith(".md") else f"{BELOW}/{path}.md"


def linked(path: str, text: str) -> Iterator[str]:
    """Yield the paths in the repository of the files that a page links to, if they exist."""
    for target, _ in LINK.findall(text):
        place = os.path.normpath(str(PurePosixPath(path).parent / target))
        if not place.startswith("..") and (ROOT / place).exists():
            yield place


def outside() -> list[str]:
    """Return the files outside of docs/ that the pages link to, and those that such Markdown files link to."""
    found: set[str] = set()
    ahead = [f"docs/{page.relative_to(DOCS).as_posix()}" for page in DOCS.rglob("*.md")]
    while ahead:
        page = ahead.pop()
        for place in linked(page, (ROOT / page).read_text(encoding="utf-8")):
            if not place.startswith("docs/") and place not in found:
                found.add(place)
                ahead += [place] if place.endswith(".md") else []
    return sorted(found)


def page_of(path: str) -> str:
    """Return a file of the repository as Markdown: itself, its code, or the names in a folder."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(
            each.name + ("/" if each.is_dir() else "") for each in file.iterdir() if each.name[0] not in "._"
        )
        return "\n".join([f"# {path}/", "", *(f"- `{name}`" for name in names)])
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        # A rubric begins with a head in YAML, which mkdocs would take as its own.
        return re.sub(r"\A---\n(.*?)\n---\n", r"```yaml\n\1\n```\n\n", text, flags=re.DOTALL)
    language = LANGUAGES.get(file.suffix) or NAMES.get(file.name, "text")
    return f"# {path}\n\n~~~~~~{language}\n{text}\n~~~~~~\n"


def relinked(uri: str, text: str) -> str:
    """Return the Markdown of a page with its links to files of the repository as links within the site."""
    page = path_of(uri)

    def inside(found: re.Match[str]) -> str:
        target, heading = found[1], found[2] or ""
        place = os.path.normpath(str(PurePosixPath(page).parent / target))
        if place.startswith("..") or not (ROOT / place).exists():
            return found[0]
        return f"]({os.path.relpath(uri_of(place), PurePosixPath(uri).parent)}{heading})"

    return LINK.sub(inside, text)
