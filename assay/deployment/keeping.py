"""The keeper of a folder (`assay.deployment.keeper`), as deployments start it, interrupt it and end it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assay.deployment import keeper as keeper_program
from assay.deployment.identity import Identity, read_record
from assay.deployment.start import new_log
from assay.errors import InputError

GIVE_WAY = 10.0
"""Seconds in which an attempt of the keeper must give way to a deployment, and a new keeper report itself."""


@dataclass(frozen=True)
class KeeperRecord:
    """The keeper of a folder, as it reports itself (`assay.deployment.keeper`)."""

    process: Identity
    foreground: bool
    """True if something else, such as systemd, starts and ends it."""

    @classmethod
    def read(cls, folder: Path) -> "KeeperRecord | None":
        """Return the record of the keeper, or None if none is alive."""
        keeper = read_record(cls, folder / keeper_program.KEEPER)
        return keeper if keeper and keeper.process.alive else None

    def interrupt(self) -> None:
        """End its attempt to serve again, if it is making one: this process needs the folder."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGUSR1)


def keeper_command(folder: Path, command: Sequence[str], *, foreground: bool) -> list[str]:
    """Return the command of the keeper that runs `command` to serve again."""
    # -I: neither PYTHONPATH nor the current folder can change what it imports.
    given = [sys.executable, "-I", keeper_program.__file__, str(folder)]
    return [*given, *(["--foreground"] if foreground else []), "--", *command]


def start_keeper(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace the keeper in the background by one with this environment. Leave one that runs in the foreground.

    Return when the new one reports itself, or after 10 s: what is served is served without it, and `status` states so.
    """
    keeper = KeeperRecord.read(folder)
    if keeper and keeper.foreground:
        return
    end_keeper(folder)
    with new_log(folder / "keeper.log") as output:
        started = subprocess.Popen(
            keeper_command(folder, command, foreground=False),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + GIVE_WAY
    while started.poll() is None and time.monotonic() < deadline:
        keeper = KeeperRecord.read(folder)
        if keeper and keeper.process.pid == started.pid:
            return
        time.sleep(0.02)


def end_keeper(folder: Path) -> None:
    """End the keeper in the background, if there is one."""
    keeper = KeeperRecord.read(folder)
    if keeper and not keeper.foreground:
        keeper.process.end(10)


def take_lock(lock: IO[bytes], folder: Path) -> None:
    """Lock the file. Raise InputError if another deployment has it. An attempt of the keeper gives way."""
    for left in reversed(range(int(GIVE_WAY / 0.1))):
        try:
            # The kernel releases this lock when the process ends, also when it is killed.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            keeper = KeeperRecord.read(folder)
            if not left or keeper is None:
                raise InputError(
                    "another deployment is running", where=str(folder), fix="Wait until it ends, and try again"
                ) from error
            # An attempt is a deployment itself: it does not interrupt itself.
            if os.getppid() != keeper.process.pid:
                keeper.interrupt()
            time.sleep(0.1)
