"""Start again what ends: the process at the public port, and the server of the deployed version.

    python assay/deployment/keeper.py FOLDER [--foreground] -- COMMAND …

COMMAND, such as `assay deployment restore`, serves the deployed version again. Like the front, this program imports
nothing of `assay`: it waits for months, and should take little memory and have little that can fail. Its environment is
that of the deployment that started it, and so the settings and tokens of the service are in no file.

In the background it ends when nothing is served any more. In the foreground, for systemd, it begins by serving what was
deployed last, and on SIGTERM runs the command with `stop` in place of `restore`.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

KEEPER = "keeper.json"
"""File with the identity of this process."""
EVERY = 0.5
"""Seconds between two checks."""
LONGEST = 60.0
"""Most seconds between two attempts. They double from a second on, and begin anew after so long without a failure."""
LOG_BYTES = 16 * 2**20
"""Size from which a log is moved to `.1`, whose old content goes: a log takes at most twice as much."""
SAME_START = 2.0
"""As in `assay.deployment.identity`."""


def read(file: Path) -> dict[str, Any]:
    """Return a record, or an empty one if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def alive(record: Any) -> bool:
    """Return True if the process of a record has not ended."""
    with contextlib.suppress(psutil.Error, KeyError, TypeError):
        process = psutil.Process(record["process"]["pid"])
        same = abs(process.create_time() - record["process"]["started"]) < SAME_START
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    return False


class Keeper:
    """The state of one folder, and what to do about it."""

    def __init__(self, folder: Path, command: list[str], front: Path) -> None:
        """`front`: the program of the public port."""
        self._folder, self._command, self._program = folder, command, front
        self._front: subprocess.Popen[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._wait, self._next, self._healthy_since = 1.0, 0.0, time.monotonic()

    def check(self) -> bool:
        """Start again what has ended. Return False if nothing is meant to be served."""
        rotate_logs(self._folder)
        if self._front is not None:
            self._front.poll()  # one that has ended must not stay a zombie
        server = read(self._folder / "serving.json").get("server")
        if not server:
            return False
        wrong = self._wrong(server)
        now = time.monotonic()
        if not wrong:
            if now - self._healthy_since > LONGEST:
                self._wait = 1.0
            return True
        self._healthy_since = now
        if now < self._next:
            return True
        with alone(self._folder) as free:
            if not free:
                return True  # a deployment runs
            # Again: the deployment may have ended since.
            if not self._wrong(read(self._folder / "serving.json").get("server")):
                return True
            say(f"{wrong}; started again, the next attempt comes after {self._wait:g} s")
            self._next, self._wait = now + self._wait, min(LONGEST, 2 * self._wait)
            self._start_front()
        if self._wrong(server):
            self.restore()
        return True

    def restore(self) -> None:
        """Run the command until it ends or is interrupted."""
        self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        status = self._child.wait()
        self._child = None
        say("all is served again" if status == 0 else f"the attempt ended with status {status}")

    def interrupt(self, *_: object) -> None:
        """End an attempt under way, for a deployment that needs the folder. What it began ends by itself."""
        if self._child is not None:
            self._child.terminate()

    def _wrong(self, server: Any) -> str:
        """Return what has ended, or an empty text."""
        if not alive(server):
            return f"the server of {server.get('version', 'the deployed version')} has ended" if server else ""
        if not alive(read(self._folder / "front.json")):
            return "the process at the public port has ended"
        # The command ends it, as every deployment does.
        others = (read(file) for file in self._folder.glob("servers/*.json"))
        left = any(alive(other) and other["process"] != server["process"] for other in others)
        return "a deployment that was killed left its old server" if left else ""

    def _start_front(self) -> None:
        """Start the front at the address of the one that has ended: sooner than the command does."""
        record = read(self._folder / "front.json")
        if alive(record) or not record.get("port"):
            return
        with (self._folder / "front.log").open("ab") as output:
            self._front = subprocess.Popen(
                [sys.executable, "-I", str(self._program), str(self._folder), str(record["host"]), str(record["port"])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + 10
        while self._front.poll() is None and time.monotonic() < deadline:
            if alive(read(self._folder / "front.json")):
                return
            time.sleep(0.02)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Yield True with the lock of deployments, or False if a deployment holds it."""
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def rotate_logs(folder: Path, most: int = LOG_BYTES) -> None:
    """Move the content of large logs to `.1`. Writers append to the open file; lines of that moment go."""
    for log in [*folder.glob("*.log"), *folder.glob("servers/*.log")]:
        with contextlib.suppress(OSError):
            if log.stat().st_size > most:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)


def say(what: str) -> None:
    """Write a line to the log, with the time."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {what}", flush=True)


def main(folder: Path, command: list[str], *, foreground: bool) -> None:
    """Keep the deployment of a folder alive until SIGTERM."""
    own = psutil.Process()
    # One keeper a folder: another one waits until this one ends.
    with (folder / "keeper.lock").open("ab") as only:
        fcntl.flock(only, fcntl.LOCK_EX)
        record = {"process": {"pid": own.pid, "started": own.create_time()}, "foreground": foreground}
        partial = folder / f".{KEEPER}.{own.pid}"
        partial.write_text(json.dumps(record), encoding="utf-8")
        partial.replace(folder / KEEPER)
        keeper, stop = Keeper(folder, command, Path(__file__).with_name("front.py")), threading.Event()
        signal.signal(signal.SIGUSR1, keeper.interrupt)

        def end(*_: object) -> None:
            stop.set()
            keeper.interrupt()

        signal.signal(signal.SIGTERM, end)
        if foreground:
            keeper.restore()
        while not stop.is_set():
            if not keeper.check() and not foreground:
                break
            stop.wait(EVERY)
        if foreground:
            subprocess.run(["stop" if part == "restore" else part for part in command], check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--foreground", action="store_true")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    main(given.folder, given.command, foreground=given.foreground)
