"""What a person sees while long work runs: lines for stages, a bar for what takes minutes. On stderr, never stdout."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def _silent() -> bool:
    """Of several training processes only the first one speaks."""
    return os.environ.get("RANK", "0") != "0"


def say(message: str) -> None:
    """One line of progress, whole even when several processes write."""
    if not _silent():
        tqdm.write(f"  {message}", file=sys.stderr)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Announce a stage, and say how long it took once it is done."""
    if not _silent():
        tqdm.write(f"▸ {name}", file=sys.stderr)
    started = time.monotonic()
    yield
    say(f"done in {time.monotonic() - started:.1f} s")


def bar(items: Iterable[T] | None = None, *, total: int | None = None, unit: str = "it", what: str = "") -> "tqdm[T]":
    """A progress bar; in a log file, where nothing can be redrawn, at most one line every ten seconds."""
    interactive = sys.stderr.isatty()
    counted: Any = items  # None is how tqdm is told to count by hand
    shown: tqdm[T] = tqdm(
        counted,
        total=total,
        unit=unit,
        desc=f"  {what}" if what else None,
        file=sys.stderr,
        leave=False,
        disable=_silent(),
        unit_scale=total is None or total >= 10_000,
        delay=1,
        mininterval=0.1 if interactive else 10,
        ncols=100 if interactive else 80,
    )
    return shown


def counter(*, unit: str, what: str = "", total: int | None = None) -> "tqdm[None]":
    """A bar that is told by `update` how much is done."""
    return bar(total=total, unit=unit, what=what)
