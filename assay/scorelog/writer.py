"""Write rows on a separate thread, so that the code that adds them never waits."""

import datetime
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.scorelog.files import write_rows

QUEUE = 256
"""Most batches that wait to be written; the next one is dropped."""


class LogWriter:
    """Collect rows until they are enough for a file, or until the first one has waited its longest time."""

    def __init__(
        self,
        place: str,
        *,
        share: float,
        rows: int,
        seconds: float,
        on_rows: Callable[[str, int], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Start the thread, which writes below `place`, a folder or URL.

        `share`: share of the rows that is kept, drawn at random. `rows`: most rows of a file, approximately. `seconds`:
        longest time that a row waits. `on_rows` is called with an outcome and a number of rows: `written`, `dropped`
        (the queue was full) or `failed` (the place could not be written). `on_error` is called with the error of a
        failed write. Both may be called from the thread.
        """
        self._place, self._share, self._rows, self._seconds = place, share, rows, seconds
        self._on_rows, self._on_error = on_rows, on_error
        self._queue: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(QUEUE)
        self._chance = random.Random()
        self._thread = threading.Thread(target=self._run, name="score log", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[Mapping[str, Any]], version: str) -> None:
        """Add answers given now by a version of the model. Neither wait nor raise."""
        now = datetime.datetime.now(datetime.UTC)
        kept = [
            {**row, "time": now, "version": version}
            for row in rows
            if self._share >= 1 or self._chance.random() < self._share
        ]
        if not kept:
            return
        try:
            self._queue.put_nowait(kept)
        except queue.Full:
            self._on_rows("dropped", len(kept))

    def close(self, within: float) -> None:
        """Write the waiting rows, for at most `within` seconds. Rows that are added later are lost."""
        deadline = time.monotonic() + within
        try:
            self._queue.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        waiting: list[dict[str, Any]] = []
        due = 0.0  # time at which the first waiting row has waited its longest
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
            if batch is None:  # put by `close`, after all rows
                return

    def _write(self, rows: list[dict[str, Any]]) -> None:
        try:
            write_rows(self._place, rows)
        except Exception as error:
            # The rows are not kept: a place that fails once mostly fails for long, and they would fill the memory.
            self._on_rows("failed", len(rows))
            self._on_error(error)
        else:
            self._on_rows("written", len(rows))
