"""Where the time of scoring goes: reading, tokenizing, model, language, counting and writing.

`model` is the network, or the weights of a lexical model.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Times:
    """Seconds spent on each stage by all threads of this process together."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            with self._lock:
                self._seconds[stage] += seconds

    def take(self) -> dict[str, float]:
        """Return the seconds of each stage since the last call."""
        with self._lock:
            found, self._seconds = dict(self._seconds), defaultdict(float)
        return found
