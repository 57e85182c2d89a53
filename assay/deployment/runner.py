"""A server that outlives the command that started it.

    python -m assay.deployment.runner FOLDER BENTO

It writes its identity and its state to a file in FOLDER. It ends on SIGTERM, after the requests in work. Its server
ends with it, even if it is killed. Until the command hands the server over, by a byte on the standard input, it ends
with that command, too.
"""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from assay.deployment.identity import Identity, Server
from assay.deployment.local_settings import LocalSettings
from assay.deployment.route import CanaryRecord, FrontRecord, Route
from assay.errors import InputError
from assay.serving import PREFIX, ServerProcess, ServeSettings

CHECK_TOKEN = "ASSAY_CHECK_TOKEN"
"""Environment variable with a further token, for the command that checks the server before clients reach it."""


HANDED_OVER = b"1"
"""The byte after which the server outlives the command that started it."""


def end_unless_handed_over(folder: Path) -> None:
    """Wait on a thread for the byte. End this process if the command ends first, unless requests go here already."""

    def wait() -> None:
        if os.read(0, 1) == HANDED_OVER:
            return
        # Killed after the requests were moved, and before the byte.
        route = Route.read(folder.parent)
        if route.server is None or route.server.process.pid != os.getpid():
            _leave_canary(folder.parent)
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="owner", daemon=True).start()


def _leave_canary(folder: Path) -> None:
    """If this is the server of a canary, let the front send it no further call, and wait for the answers to the others.

    The server closes its port at once when it is asked to end: a call that the front has just sent would be lost. The
    record stays, with a share of 0: the next command tells by it that the canary was interrupted.
    """
    canary, front = CanaryRecord.read(folder), FrontRecord.read(folder)
    if canary is None or canary.server.process.pid != os.getpid():
        return
    replace(canary, share=0.0).write(folder)
    if front:
        front.wait_left(canary.server.port, LocalSettings.drain)


def main(folder: Path, bento: Path) -> int:
    """Run the server. Return 1 when it ends by itself or cannot start; SIGTERM exits with status 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_unless_handed_over(folder)
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    server = None
    try:
        settings = ServeSettings.read(environment)
        guarded = settings.guarded
        # A server without tokens is open: the token of the check would close it.
        if guarded:
            tokens = (*settings.tokens, os.environ[CHECK_TOKEN])
            environment[f"{PREFIX}TOKENS"] = ",".join(tokens)
        process = ServerProcess(bento, environment=environment, log=folder / f"{os.getpid()}.log")
        # Written before the start, so that a killed deployment leaves a record by which the next one ends this server.
        server = Server(Identity.own(), process.bento.version, process.port, guarded, "starting")
        server.write(folder)
        with process:
            server = replace(server, state="ready")
            server.write(folder)
            status = process.wait()
            server = replace(server, state=f"it ended by itself, with status {status}")
    except InputError as error:
        server = replace(server or Server(Identity.own(), "", 0, False, ""), state=str(error))
    server.write(folder)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
