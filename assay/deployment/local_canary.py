"""A canary on this machine: the front sends it a share of the calls, drawn for each call.

    FOLDER/canary.json    the server of the new version and its share; the front reads it for each call

The server of the new version belongs to the command that judges it, and ends when that command ends, also if it is
killed. Calls that find it ended go to the serving version, to which nothing was sent yet. So a canary whose judge is
gone rolls itself back.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.deployment.canary import EndedCanaryError, Exposition
from assay.deployment.front import CANARY
from assay.deployment.identity import Server, read_record
from assay.deployment.route import FrontRecord
from assay.deployment.start import Started
from assay.deployment.target import Deployed
from assay.errors import InputError
from assay.serving import ask
from assay.storage import only_known_fields, staged_file

METRICS_SECONDS = 15.0
"""Seconds in which a server must give its counters."""


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


@dataclass
class LocalCanary:
    """See `Canary`."""

    folder: Path
    started: Started
    """The new version."""
    old: Server
    """The serving version."""
    share: float
    token: str
    """Token of /metrics."""
    move: Callable[[], Deployed]
    """Sends all requests to the new version, and sets `promoted`."""
    promoted: bool = False
    unit: str = "request"

    @property
    def serving(self) -> str:
        """Version that gets the rest."""
        return self.old.version

    def check(self) -> None:
        """See `Canary`."""
        new = self.started.server
        if self.started.process.poll() is not None:
            last = Server.read(self.folder / "servers" / f"{new.process.pid}.json")
            why = f": {last.state}" if last and last.state != "ready" else ""
            raise EndedCanaryError(f"the server of {new.version} has ended{why}")
        if not self.old.process.alive:
            raise EndedCanaryError(f"the server of {self.old.version}, which serves, has ended")
        if FrontRecord.read(self.folder) is None:
            raise EndedCanaryError("the process at the public port has ended")

    def read(self) -> Exposition:
        """See `Canary`."""
        return Exposition({"serving": self._metrics(self.old)}, {"new": self._metrics(self.started.server)})

    def promote(self) -> Deployed:
        """See `Canary`."""
        return self.move()

    def _metrics(self, server: Server) -> str:
        return read_metrics(f"http://127.0.0.1:{server.port}", server.version, self.token)


def read_metrics(url: str, version: str, token: str) -> str:
    """Return the text of /metrics of a server of a version. Raise InputError if it does not give it."""
    try:
        status, text = ask(url, "/metrics", token=token, timeout=METRICS_SECONDS)
    except OSError as error:
        raise EndedCanaryError(f"a server of {version} does not give its counters: {error}", where=url) from error
    if status != 200:
        raise InputError(
            f"a server of {version} answers /metrics with status {status}",
            where=url,
            fix="Set ASSAY_SERVE_METRICS_TOKENS or ASSAY_SERVE_TOKENS here as for the service" if status == 401 else "",
        )
    return str(text)
