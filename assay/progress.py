"""Show the progress of long work on stderr, never on stdout: lines for stages, bars for work of minutes."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

from assay.errors import without_secrets

T = TypeVar("T")


def _silent() -> bool:
    """Return True in every training process except the first, so that lines are printed once."""
    return os.environ.get("RANK", "0") != "0"


def say(message: str) -> None:
    """Print one line of progress, without secrets in URLs. It stays whole if bars or other processes write, too."""
    if not _silent():
        tqdm.write(f"  {without_secrets(message)}", file=sys.stderr)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print the name of a stage, and its duration in seconds when it is done."""
    if not _silent():
        tqdm.write(f"▸ {name}", file=sys.stderr)
    started = time.monotonic()
    yield
    say(f"done in {time.monotonic() - started:.1f} s")


def bar(items: Iterable[T] | None = None, *, total: int | None = None, unit: str = "it", what: str = "") -> "tqdm[T]":
    """Return a progress bar. In a log file, which cannot be redrawn, it prints at most one line every ten seconds."""
    interactive = sys.stderr.isatty()
    counted: Any = items  # with None, tqdm counts by `update`; its types do not allow None
    shown: tqdm[T] = tqdm(
        counted,
        total=total,
        unit=unit,
        desc=f"  {what}" if what else None,
        file=sys.stderr,
        leave=False,
        disable=_silent(),
        unit_scale=total is None or total >= 10_000,
        delay=1,  # work of under a second shows no bar
        mininterval=0.1 if interactive else 10,
        ncols=100 if interactive else 80,
    )
    return shown


def counter(*, unit: str, what: str = "", total: int | None = None) -> "tqdm[None]":
    """Return a bar that the caller advances by `update`."""
    return bar(total=total, unit=unit, what=what)
