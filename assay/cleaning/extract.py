"""Web pages to text: the main text of a page, without what stands around it.

Trafilatura (Barbaresi 2021), and where it finds clearly less than Resiliparse (Bevendorff et al. 2018), the latter:
`benchmarks/extraction.py` says what that gains. Pages are worked on in processes of their own, because now and then one
takes an extractor minutes, or all memory.
"""

import multiprocessing
import re
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from assay.sources import without_surrogates

PAGE_SECONDS = 10.0
"""For one page; half of all take less than 0.03."""
MEMORY = 4 * 2**30
"""Bytes of address space of a process that extracts."""
LEAST_SHARE = 0.75
"""Of the words of Resiliparse's main text, below which Trafilatura's is not believed."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Page:
    """A page as it was fetched."""

    html: bytes = field(repr=False)
    mime: str = ""
    charset: str = ""
    """As the server's header has it; empty where it says nothing."""


@dataclass(frozen=True)
class Extracted:
    """What became of a page."""

    text: str
    problem: str = ""
    """Why there is no text: `takes too long`, `the extractor died`, or the extractor's own words."""


def decode(page: Page) -> str:
    """The page as text, in the encoding that a browser would take: byte order mark, header, `<meta>`, then a guess.

    Never fails: what is no character becomes U+FFFD.
    """
    from resiliparse.parse.encoding import detect_encoding
    from w3lib.encoding import html_to_unicode

    header = f"{page.mime or 'text/html'}; charset={page.charset}" if page.charset else None
    text = html_to_unicode(header, page.html, auto_detect_fun=detect_encoding, default_encoding="utf-8")[1]
    return without_surrogates(str(text)).replace("\0", "\ufffd")


def main_text(page: Page) -> str:
    """The main text of one page, in this process and without a limit; empty where there is none."""
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    html = decode(page)
    if page.mime == "text/plain":
        return html.strip()
    if not html.strip():
        return ""
    one = trafilatura.extract(html) or ""
    two = extract_plain_text(html, main_content=True, alt_texts=False)
    text = one if len(_WORD.findall(one)) >= LEAST_SHARE * len(_WORD.findall(two)) else two
    return without_surrogates(text).strip()


class Extractor:
    """A context manager: processes that extract pages side by side, and are replaced when one does not answer."""

    def __init__(self, *, processes: int = 1, seconds: float = PAGE_SECONDS) -> None:
        """`seconds`: for one page."""
        self._processes, self._seconds = processes, seconds
        self._pool: Any = None

    def __enter__(self) -> "Extractor":
        import pebble

        # Spawned: a fork of a process with threads, as Arrow and torch start them, can hang.
        context = multiprocessing.get_context("spawn")
        self._pool = pebble.ProcessPool(self._processes, initializer=_prepare, context=context)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()

    def extract(self, pages: Sequence[Page]) -> Iterator[Extracted]:
        """What became of each page, in their order."""
        futures = [self._pool.schedule(main_text, args=(page,), timeout=self._seconds) for page in pages]
        try:
            for future in futures:
                yield _outcome(future)
        finally:
            for future in futures:
                future.cancel()


def _outcome(future: "Future[str]") -> Extracted:
    from pebble import ProcessExpired

    try:
        return Extracted(future.result())
    except TimeoutError:
        return Extracted("", "takes too long")
    except (ProcessExpired, MemoryError):
        return Extracted("", "the extractor died")
    except Exception as error:  # of any library that an extractor uses
        words = str(error).splitlines()
        return Extracted("", f"{type(error).__name__}: {words[0]}"[:200] if words else type(error).__name__)


def _prepare() -> None:
    """In a new process, before its first page: imports are not to count as time of a page."""
    import logging

    import trafilatura  # noqa: F401
    from resiliparse.extract.html2text import extract_plain_text  # noqa: F401
    from w3lib.encoding import html_to_unicode  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
