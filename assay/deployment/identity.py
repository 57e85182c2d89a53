"""Which process a file speaks of: a process id is given again, a process id with its start is not."""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from assay.storage import staged_file

SAME_START = 2.0
"""Seconds. The start is counted from the boot, whose own time the kernel may set right by a second; the same id does
not come round in so short a time."""


@dataclass(frozen=True)
class Identity:
    """One process of this machine, of which there is never another."""

    pid: int
    started: float
    """Seconds since 1970."""

    @classmethod
    def own(cls) -> "Identity":
        """Of this process."""
        return cls(os.getpid(), psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """The process itself while it lives; None for one that ended, also where its id is another's by now."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.started) < SAME_START and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process() is not None

    def end(self, within: float) -> None:
        """Ask it to end, and kill it where it has not after so many seconds. Nothing where it ended before."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + within
            while self.alive and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.alive:
                process.kill()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(10)


@dataclass(frozen=True)
class Server:
    """A process that serves a version on a port of this machine, as it says itself."""

    process: Identity
    version: str
    port: int
    guarded: bool
    """Whether it asks for a token."""
    state: str
    """`starting`, `ready`, or why it cannot serve."""

    def write(self, folder: Path) -> None:
        """Into the file of its process id."""
        with staged_file(folder / f"{self.process.pid}.json") as file:
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Server | None":
        """None where there is no such file, or no such thing in it."""
        try:
            fields = json.loads(file.read_text(encoding="utf-8"))
            return cls(**{**fields, "process": Identity(**fields["process"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
