"""A server that outlives the command that started it.

    python -m assay.deployment.runner FOLDER BENTO

It writes its identity and its state to a file in FOLDER. It ends on SIGTERM, after the requests in work. Its server
ends with it, even if it is killed.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from assay.deployment.identity import Identity, Server
from assay.errors import InputError
from assay.serving import PREFIX, ServerProcess, ServeSettings

CHECK_TOKEN = "ASSAY_CHECK_TOKEN"
"""Environment variable with a further token, for the command that checks the server before clients reach it."""


def main(folder: Path, bento: Path) -> int:
    """Run the server. Return 1 when it ends by itself or cannot start; SIGTERM exits with status 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
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
