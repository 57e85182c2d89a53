"""Records of processes. A process id is reused; a process id with its start time identifies one process."""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import psutil  # type: ignore[import-untyped]

from assay.errors import InputError
from assay.storage import only_known_fields, parse_json, staged_file

T = TypeVar("T")

SAME_START = 2.0
"""Seconds by which two start times of one process may differ. A start is counted from the boot, and the kernel may
correct the time of the boot by a second. A process id is not reused within so short a time."""


def read_record(kind: type[T], file: Path) -> T | None:
    """Read a record of a process. Return None if the file is missing or damaged: such a process counts as ended."""
    try:
        return parse_json(kind, file.read_bytes(), what="this record", where=str(file))
    except (OSError, InputError):
        return None


@only_known_fields
@dataclass(frozen=True)
class Identity:
    """One process of this machine, never confused with a later one of the same id."""

    pid: int
    """Process id."""
    started: float
    """Start time, in seconds since 1970."""

    @classmethod
    def own(cls) -> "Identity":
        """Return the identity of this process."""
        return cls(os.getpid(), psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """Return the process, or None if it has ended, also if its id belongs to another process now."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            # A zombie has ended; only its parent has not waited for it yet.
            if abs(found.create_time() - self.started) < SAME_START and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None

    @property
    def alive(self) -> bool:
        """Return True if the process has not ended."""
        return self.process() is not None

    def end(self, within: float) -> None:
        """End the process by SIGTERM, and kill it after `within` seconds. Do nothing if it has ended."""
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


@only_known_fields
@dataclass(frozen=True)
class Server:
    """The process that serves a version on a port of this machine, as it reports itself."""

    process: Identity
    """The runner (`assay.deployment.runner`), which ends its server with it."""
    version: str
    """Version of the model."""
    port: int
    """Port on 127.0.0.1, behind the front."""
    guarded: bool
    """True if it requires a token."""
    state: str
    """`starting`, `ready`, or the reason why it cannot serve."""

    def write(self, folder: Path) -> None:
        """Write the record to the file of its process id."""
        with staged_file(folder / f"{self.process.pid}.json") as file:
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Server | None":
        """Read a record. Return None if the file is missing or damaged."""
        return read_record(cls, file)
