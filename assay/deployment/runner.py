"""A server that stays when the command that started it is done.

    python -m assay.deployment.runner FOLDER BENTO

Its file in FOLDER says who it is and how it is. It ends on SIGTERM, after the requests in work; its server ends with it
even where it is killed.
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
"""One more token, of the command that wants to check this server before others can reach it."""


def main(folder: Path, bento: Path) -> int:
    """Exit status: 0 where it was told to end, else 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    server = None
    try:
        settings = ServeSettings.read(environment)
        guarded = bool(settings.tokens or settings.tokens_file)
        if guarded:
            tokens = (*settings.tokens, os.environ[CHECK_TOKEN])
            environment[f"{PREFIX}TOKENS"] = ",".join(tokens)
        process = ServerProcess(bento, environment=environment, log=folder / f"{os.getpid()}.log")
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
