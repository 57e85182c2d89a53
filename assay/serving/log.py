"""The log of a server: requests and failures, never a text."""

import logging
import time
import traceback
from pathlib import Path

LOG = logging.getLogger("bentoml.assay")
"""A child of BentoML's own logger: a server of BentoML shows no other."""
MOST_LINES = 200
"""Lines of one level that a logger writes in a second. A flood of refused requests would otherwise fill the disk."""
LOUD = ("bentoml.assay", "uvicorn.error", "asyncio")
"""Loggers in which one line or more is the work of one client."""


def log_error(what: str, error: BaseException) -> None:
    """Log one line: the type of the error and its place in the code. Its message may repeat a text and is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    LOG.error("%s: %s at %s", what, type(error).__name__, trail)


class Throttle(logging.Filter):
    """Pass `most` records of each level in a second. The first one of the next second tells how many were left out."""

    def __init__(self, most: int = MOST_LINES) -> None:
        super().__init__()
        self._most = most
        self._seconds: dict[int, tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if the record is written."""
        second, count = self._seconds.get(record.levelno, (0, 0))
        now = int(time.monotonic())
        if now != second:
            if count > self._most:
                record.msg, record.args = f"{record.getMessage()} ({count - self._most} lines left out before)", ()
            second, count = now, 0
        self._seconds[record.levelno] = (second, count + 1)
        return count < self._most


def throttle_logs() -> None:
    """Limit the lines of the loggers that clients can flood. Call it once a process."""
    for name in LOUD:
        logging.getLogger(name).addFilter(Throttle())
