"""The state of a local deployment: one file, whose replacement moves the requests to another server."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from assay.deployment.front import CANARY, RECORD, ROUTE
from assay.deployment.identity import Identity, Server, read_record
from assay.deployment.target import History
from assay.errors import InputError
from assay.storage import only_known_fields, parse_json, staged_file

SETTLED = 0.3
"""Seconds without a connection to a server after which the front has left it. A request that read the old route
shortly before its replacement connects within that time."""


@dataclass(frozen=True)
class Route:
    """The serving server and the history, written by deployments and read by the front for each request.

    Both are in one file, so that they change in one step.
    """

    history: History
    server: Server | None
    """The server that gets the requests; None if the deployment was stopped."""

    def write(self, folder: Path) -> None:
        """Write the route. From then on requests go to its server."""
        with staged_file(folder / ROUTE) as file:
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Route":
        """Read the route, or return an empty one if nothing was deployed. Raise InputError if the file is damaged."""
        what, fix = "the state of the deployment", "Remove it, end the servers of that folder, and deploy again"
        try:
            text = (folder / ROUTE).read_bytes()
        except FileNotFoundError:
            return cls(History(), None)
        except OSError as error:
            raise InputError(f"{what} cannot be read: {error}", where=str(folder / ROUTE), fix=fix) from error
        return parse_json(cls, text, what=what, where=str(folder / ROUTE), fix=fix)


@dataclass(frozen=True)
class FrontRecord:
    """The process at the public port, as it reports itself (`assay.deployment.front`)."""

    host: str
    port: int
    process: Identity

    @classmethod
    def read(cls, folder: Path) -> "FrontRecord | None":
        """Return the record of the front, or None if no front is alive."""
        front = read_record(cls, folder / RECORD)
        return front if front and front.process.alive else None

    def wait_left(self, port: int, within: float) -> bool:
        """Wait until the front has no request at the server on `port`. Return False if it has one after `within` s."""
        deadline, quiet_since = time.monotonic() + within, time.monotonic()
        while time.monotonic() < deadline:
            if self._busy(port):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= SETTLED:
                return True
            time.sleep(0.05)
        return False

    def _busy(self, port: int) -> bool:
        """Return True if the front is connected to `port`: it opens one connection for each request."""
        process = self.process.process()
        with contextlib.suppress(psutil.Error):
            # IPv4 only: the front connects to 127.0.0.1.
            connections = process.net_connections("tcp4") if process else []
            return any(each.raddr and each.raddr.port == port for each in connections)
        return False


@only_known_fields
@dataclass(frozen=True)
class CanaryRecord:
    """The server of a canary, as the front reads it."""

    server: Server
    share: float
    """Share of the calls that it gets."""

    def write(self, folder: Path) -> None:
        """Write the record. From then on the share of the calls goes there."""
        with staged_file(folder / CANARY) as file:
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "CanaryRecord | None":
        """Return the record, or None if it is missing or damaged."""
        return read_record(cls, folder / CANARY)

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove the record. From then on all calls go to the serving version."""
        (folder / CANARY).unlink(missing_ok=True)
