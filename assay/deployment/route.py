"""What serves on this machine and what served before: one file, whose replacement moves the traffic."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from assay.deployment.front import RECORD, ROUTE
from assay.deployment.identity import Identity, Server
from assay.deployment.target import History
from assay.errors import InputError
from assay.storage import staged_file

SETTLED = 0.3
"""Seconds without any connection from which a server counts as left: in which a request that was to go there would
have got there."""


@dataclass(frozen=True)
class Route:
    """Read by the front for every request, written by deployments. History and address change in one step."""

    history: History
    server: Server | None
    """None where it was stopped."""

    def write(self, folder: Path) -> None:
        """From now on requests go there."""
        with staged_file(folder / ROUTE) as file:
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Route":
        """An empty one where nothing was deployed. Raises InputError for a file that cannot be read."""
        try:
            fields = json.loads((folder / ROUTE).read_text(encoding="utf-8"))
            history = History(tuple(fields["history"]["versions"]), fields["history"]["left"])
            server = fields["server"]
            if server:
                server = Server(**{**server, "process": Identity(**server["process"])})
            return cls(history, server)
        except FileNotFoundError:
            return cls(History(), None)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"the state of the deployment cannot be read: {error}",
                where=str(folder / ROUTE),
                fix="Remove it, end the servers of that folder, and deploy again",
            ) from error


@dataclass(frozen=True)
class FrontRecord:
    """The process at the public port, as it says itself."""

    host: str
    port: int
    process: Identity

    @classmethod
    def read(cls, folder: Path) -> "FrontRecord | None":
        """The one that lives; None where none does."""
        try:
            fields = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            front = cls(fields["host"], fields["port"], Identity(**fields["process"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return front if front.process.alive else None

    def wait_left(self, port: int, within: float) -> bool:
        """Until no request is under way to the server at `port` any more; whether that was so in time."""
        deadline, quiet_since = time.monotonic() + within, time.monotonic()
        while time.monotonic() < deadline:
            if self._busy(port):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= SETTLED:
                return True
            time.sleep(0.05)
        return False

    def _busy(self, port: int) -> bool:
        process = self.process.process()
        with contextlib.suppress(psutil.Error):
            connections = process.net_connections("tcp4") if process else []
            return any(each.raddr and each.raddr.port == port for each in connections)
        return False
