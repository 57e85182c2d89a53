"""Processes that outlive the command that starts them: a server of a version, and the front."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from assay.deployment import front as front_program
from assay.deployment.identity import Server
from assay.deployment.route import FrontRecord
from assay.errors import InputError
from assay.serving import Bento


def start_server(servers: Path, bento: Bento, environment: Mapping[str, str], within: float) -> Server:
    """A ready server of it. Raises InputError with its own words where it does not come up."""
    command = [sys.executable, "-m", "assay.deployment.runner", str(servers), str(bento.path)]
    with (servers / "runner.log").open("wb") as output:
        started = subprocess.Popen(
            command,
            cwd=servers,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with _ended_unless_up(started):
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            ended = started.poll() is not None
            server = Server.read(servers / f"{started.pid}.json")
            if server and server.state == "ready" and not ended:
                return server
            if server and server.state not in ("starting", "ready"):
                raise InputError(server.state)
            if ended:
                said = (servers / "runner.log").read_text(errors="replace")[-500:].strip()
                raise InputError(said or f"its process ended with status {started.returncode}")
            time.sleep(0.05)
        raise InputError(f"it is not ready after {within:g} s", where=str(servers))


@contextmanager
def _ended_unless_up(started: "subprocess.Popen[bytes]") -> Iterator[None]:
    """A process that nobody waits for any more, also because the user stopped it, does not stay."""
    try:
        yield
    except BaseException:
        started.terminate()
        raise


def start_front(folder: Path, host: str, port: int) -> FrontRecord:
    """The process at the public port, started where there is none. Raises InputError where the port is taken."""
    front = FrontRecord.read(folder)
    if front and (front.host, front.port) != (host, port):
        raise InputError(
            f"it serves at {front.host}:{front.port}, not at {host}:{port}",
            where=str(folder),
            fix="Name that port, or `assay deployment stop` first",
        )
    if front:
        return front
    command = [sys.executable, "-I", front_program.__file__, str(folder), host, str(port)]
    with (folder / "front.log").open("wb") as output:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with _ended_unless_up(started):
        while started.poll() is None:
            front = FrontRecord.read(folder)
            if front and front.process.pid == started.pid:
                return front
            time.sleep(0.02)
    said = (folder / "front.log").read_text(errors="replace").strip().splitlines()[-1:]
    raise InputError(f"port {port} cannot be had: {''.join(said)}", where=host, fix="Name another")
