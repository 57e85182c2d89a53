"""Start processes that outlive this command: a server of a version, and the front."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from assay.deployment import front as front_program
from assay.deployment.identity import Server
from assay.deployment.route import FrontRecord
from assay.deployment.runner import HANDED_OVER
from assay.errors import InputError
from assay.serving import Bento


@dataclass(frozen=True)
class Started:
    """A server that ends with this process, also if that is killed, until it is handed over."""

    server: Server
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def hand_over(self) -> None:
        """Let the server outlive this process."""
        # It may have ended a moment ago: the keeper starts it again.
        with contextlib.suppress(OSError):
            os.write(self._pipe.fileno(), HANDED_OVER)
        self.abandon()

    def abandon(self) -> None:
        """Close the pipe. A server that was not handed over ends."""
        with contextlib.suppress(OSError):
            self._pipe.close()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin


def start_server(servers: Path, bento: Bento, environment: Mapping[str, str], within: float) -> Started:
    """Start a server, and return when it is ready. Raise InputError if it fails or needs more than `within` seconds."""
    command = [sys.executable, "-m", "assay.deployment.runner", str(servers), str(bento.path)]
    with new_log(servers / "runner.log") as output:
        started = subprocess.Popen(
            command,
            cwd=servers,
            env=environment,
            # The kernel closes it when this process ends, however that happens.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at this command does not reach it
        )
    with _ended_unless_up(started):
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            # Before reading the record: if the process has ended, the record read then is its last.
            ended = started.poll() is not None
            server = Server.read(servers / f"{started.pid}.json")
            if server and server.state == "ready" and not ended:
                return Started(server, started)
            if server and server.state not in ("starting", "ready"):
                raise InputError(server.state)
            if ended:
                last = (servers / "runner.log").read_text(errors="replace")[-500:].strip()
                raise InputError(last or f"the process of the server ended with status {started.returncode}")
            time.sleep(0.05)
        raise InputError(f"the server is not ready after {within:g} s", where=str(servers))


@contextmanager
def _ended_unless_up(started: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End the process if the block fails, also by Ctrl-C: nobody else would end it."""
    try:
        yield
    except BaseException:
        started.terminate()
        raise


def start_front(folder: Path, host: str, port: int) -> FrontRecord:
    """Return the front at the public port, and start it if none is alive. Raise InputError if the port is taken."""
    front = FrontRecord.read(folder)
    if front and (front.host, front.port) != (host, port):
        raise InputError(
            f"this deployment serves at {front.host}:{front.port}, not at {host}:{port}",
            where=str(folder),
            fix="Give that address, or run `assay deployment stop` first",
        )
    if front:
        return front
    # -I: neither PYTHONPATH nor the current folder can change what the front imports.
    command = [sys.executable, "-I", front_program.__file__, str(folder), host, str(port)]
    with new_log(folder / "front.log") as output:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with _ended_unless_up(started):
        while started.poll() is None:
            front = FrontRecord.read(folder)
            # The record of an earlier front may still exist.
            if front and front.process.pid == started.pid:
                return front
            time.sleep(0.02)
    last = (folder / "front.log").read_text(errors="replace").strip().splitlines()[-1:]
    raise InputError(f"port {port} cannot be used: {''.join(last)}", where=host, fix="Give another port")


def new_log(file: Path) -> IO[bytes]:
    """Empty a log, and open it to append: the keeper may then empty it again while others write."""
    file.write_bytes(b"")
    return file.open("ab")
