"""Rows handed over at once and written later, by a thread of their own: whoever hands them over never waits."""

import datetime
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.scorelog.files import write_rows

QUEUE = 256
"""Batches that may wait to be written; the next one is lost."""


class LogWriter:
    """Collects rows until there are enough for a file, or the first one has waited long enough."""

    def __init__(
        self,
        place: str,
        *,
        share: float,
        rows: int,
        seconds: float,
        told: Callable[[str, int], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`share` of the rows is kept, by chance; `rows` a file at most, about; `seconds` a row waits at most.

        `told` is told how many rows became what: `written`, `dropped` (the queue was full) or `failed` (the place
        could not be written); `failed` of the error, from the thread.
        """
        self._place, self._share, self._rows, self._seconds = place, share, rows, seconds
        self._told, self._failed = told, failed
        self._queue: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(QUEUE)
        self._chance = random.Random()
        self._thread = threading.Thread(target=self._run, name="score log", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[Mapping[str, Any]], version: str) -> None:
        """Hand over answers that were given now by a version of the model. Never waits, never raises."""
        now = datetime.datetime.now(datetime.UTC)
        taken = [
            {**row, "time": now, "version": version}
            for row in rows
            if self._share >= 1 or self._chance.random() < self._share
        ]
        if not taken:
            return
        try:
            self._queue.put_nowait(taken)
        except queue.Full:
            self._told("dropped", len(taken))

    def close(self, within: float) -> None:
        """Write what is there, for so many seconds at most; rows that are added later go nowhere."""
        deadline = time.monotonic() + within
        try:
            self._queue.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        waiting: list[dict[str, Any]] = []
        due = 0.0
        while True:
            try:
                batch = self._queue.get(timeout=max(0.0, due - time.monotonic()) if waiting else None)
            except queue.Empty:
                batch = []
            if batch and not waiting:
                due = time.monotonic() + self._seconds
            waiting += batch or []
            if waiting and (batch is None or len(waiting) >= self._rows or time.monotonic() >= due):
                self._write(waiting)
                waiting = []
            if batch is None:
                return

    def _write(self, rows: list[dict[str, Any]]) -> None:
        try:
            write_rows(self._place, rows)
        except Exception as error:
            # Kept for later they would only fill the memory: a place that fails once mostly fails for long.
            self._told("failed", len(rows))
            self._failed(error)
        else:
            self._told("written", len(rows))
