"""Read the shell commands in Markdown, without running any."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELLS = ("sh", "bash")
CLUSTER = 'title="needs a '
"""Beginning of the mark of a block whose commands need a cluster, or another server."""
BREAKS = {";", "&&", "||", "|", "&", "(", ")"}


@dataclass(frozen=True)
class Block:
    """One block of code in a page."""

    place: str
    """File and line."""
    language: str
    """First word behind the fence; empty for an indented block."""
    info: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of code of a page, those inside lists and notes, too."""
    # A note's text is indented, and would be read as code: of it only the fences matter, which are not in notes here.
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block") and token.map:
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            yield Block(f"{path.name}:{token.map[0] + 1}", language, token.info, token.content)


def commands(text: str) -> list[list[str]]:
    """Return the commands of a shell script as lists of words: no comments, and `a && b` as two.

    Here-documents and quotes over several lines are left out: no command that is checked has them.
    """
    found: list[list[str]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        try:
            every = list(words)
        except ValueError:  # a quote that ends on another line
            continue
        one: list[str] = []
        for word in [*every, ";"]:
            if word in BREAKS:
                found += [one] if one else []
                one = []
            else:
                one.append(word)
    return found
