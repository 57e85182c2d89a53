"""Extract the main text of web pages, without navigation, footers and the like.

The text is Trafilatura's (Barbaresi 2021), or Resiliparse's (Bevendorff et al. 2018) if Trafilatura finds clearly less:
F1 .849 on 300 marked pages, compared with .836 for Trafilatura alone (`benchmarks/extraction.py`). Pages are extracted
in separate processes, because a rare page takes an extractor minutes, or all memory.
"""

import multiprocessing
import re
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from assay.sources import in_words, is_panic, without_surrogates

PAGE_SECONDS = 10.0
"""Limit of time for one page, in seconds. Half of all pages take less than 0.03."""
MEMORY = 4 * 2**30
"""Largest address space of an extracting process, in bytes."""
LEAST_SHARE = 0.75
"""Smallest share of the words of Resiliparse's text at which Trafilatura's is used. .65 to .9 give F1 .846 to .850."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Page:
    """A page as it was fetched."""

    html: bytes = field(repr=False)
    """Content as the server sent it."""
    mime: str = ""
    """MIME type; empty counts as HTML."""
    charset: str = ""
    """Encoding from the header of the server; empty if it states none."""


@dataclass(frozen=True)
class Extracted:
    """Result of extracting a page."""

    text: str
    """Main text; empty if the page has none."""
    problem: str = ""
    """Reason of a failure: `takes too long`, `the extractor died`, or the message of the extractor."""


def decode(page: Page) -> str:
    """Return a page as text. The encoding is chosen as in a browser: byte order mark, header, `<meta>`, then a guess.

    Never raises: bytes that are not characters become U+FFFD.
    """
    from resiliparse.parse.encoding import detect_encoding
    from w3lib.encoding import html_to_unicode

    header = f"{page.mime or 'text/html'}; charset={page.charset}" if page.charset else None
    text = html_to_unicode(header, page.html, auto_detect_fun=detect_encoding, default_encoding="utf-8")[1]
    return without_surrogates(str(text)).replace("\0", "\ufffd")


def main_text(page: Page) -> str:
    """Return the main text of one page, empty if it has none. Runs in this process, without a limit of time.

    Raise RuntimeError if an extension panics: the exception of a panic cannot be sent to another process.
    """
    try:
        return _main_text(page)
    except BaseException as error:
        if is_panic(error):
            raise RuntimeError(f"panic: {in_words(error)}") from None
        raise


def _main_text(page: Page) -> str:
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
    """Context manager of processes that extract pages in parallel. A process that exceeds the limits is replaced."""

    def __init__(self, *, processes: int = 1, seconds: float = PAGE_SECONDS) -> None:
        """`seconds` is the limit of time for one page."""
        self._processes, self._seconds = processes, seconds
        self._pool: Any = None

    def __enter__(self) -> "Extractor":
        import pebble

        # Spawned, since a fork of a process with threads can hang, and Arrow and torch start threads.
        context = multiprocessing.get_context("spawn")
        self._pool = pebble.ProcessPool(self._processes, initializer=_prepare, context=context)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()

    def extract(self, pages: Sequence[Page]) -> Iterator[Extracted]:
        """Yield the result of each page, in their order."""
        futures = [self._pool.schedule(main_text, args=(page,), timeout=self._seconds) for page in pages]
        try:
            for future in futures:
                yield _outcome(future)
        finally:
            # A caller that stops early leaves pages in the queue, which would delay its next ones.
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
    except Exception as error:  # extractors raise exceptions of any library below them
        words = str(error).splitlines()
        return Extracted("", f"{type(error).__name__}: {words[0]}"[:200] if words else type(error).__name__)


def _prepare() -> None:
    """Prepare a new process. Imports happen here, so that they do not count as time of the first page."""
    import logging

    import trafilatura  # noqa: F401
    from resiliparse.extract.html2text import extract_plain_text  # noqa: F401
    from w3lib.encoding import html_to_unicode  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
