"""A canary on this machine: the front sends it a share of the calls, drawn for each call.

    FOLDER/canary.json    the server of the new version and its share; the front reads it for each call

The server of the new version belongs to the command that judges it. If that command ends, also if it is killed, the
server takes its share down to 0, answers the calls that it has, and ends. So a canary whose judge is gone rolls itself
back, and no call is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.deployment.canary import EndedCanaryError, Exposition
from assay.deployment.identity import Server
from assay.deployment.route import FrontRecord
from assay.deployment.start import Started
from assay.deployment.target import Deployed
from assay.errors import InputError
from assay.serving import ask

METRICS_SECONDS = 15.0
"""Seconds in which a server must give its counters."""


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
