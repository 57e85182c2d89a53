"""The protocol of deployment targets: deploy a version, report the status, roll back."""

import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assay.errors import InputError
from assay.progress import say

State = Literal["nothing", "serving", "moving", "degraded", "down"]
"""`moving`: a rollout of another version is under way or stuck. `degraded`: the service answers, but not as it should.
`down`: nothing answers."""


@dataclass(frozen=True)
class Deployed:
    """The result of a deployment or of a rollback."""

    version: str
    """Version that serves now."""
    previous: str
    """Version that `rollback` would restore; empty if there is none."""
    changed: bool
    """False if the version served already and nothing was done."""
    where: str
    """URL of the service."""
    events: tuple[str, ...] = ()
    """The steps of the deployment as sentences, in order."""


@dataclass(frozen=True)
class Status:
    """The state of a target at one moment."""

    state: State
    version: str
    """Version that answers now, as far as known; empty if none does."""
    previous: str
    """Version that `rollback` would restore; empty if there is none."""
    where: str
    """URL of the service; empty if nothing answers."""
    words: str
    """The state as a sentence, with the problems."""


class Target(Protocol):
    """A place that serves one version at a time. Each call may be repeated: it completes an interrupted one."""

    def deploy(self, version: str) -> Deployed:
        """Serve a version, given by its full name in the registry. Do nothing if it serves already.

        Raise FailedDeploymentError if the version fails its checks. The previous version serves then, unless the error
        states otherwise.
        """
        ...

    def status(self) -> Status:
        """Return the state of the target. Change nothing."""
        ...

    def rollback(self) -> Deployed:
        """Serve the version before the last deployment again. Do nothing if it was restored already.

        Raise InputError if no version served before.
        """
        ...


class FailedDeploymentError(InputError):
    """A version could not be deployed."""

    def __init__(self, what: str, *, version: str, serving: str, where: str = "", fix: str = "") -> None:
        """`version`: the failed one. `serving`: the version that still serves; empty if none does."""
        super().__init__(what, where=where, fix=fix)
        self.version, self.serving = version, serving


@dataclass(frozen=True)
class History:
    """Versions in the order of their deployment; the last one is wanted now. Changes return a new history."""

    versions: tuple[str, ...] = ()
    """Names of versions; the same name never follows itself."""
    left: str = ""
    """Version left by the last rollback or failure; empty after a deployment. A second rollback in a row does nothing:
    a repeated command would otherwise go back further than intended."""

    KEPT = 10
    """Most versions in a history."""

    @property
    def wanted(self) -> str:
        """Version that should serve; empty if nothing was deployed."""
        return self.versions[-1] if self.versions else ""

    @property
    def previous(self) -> str:
        """Version that a rollback restores; empty if there is none, or if it was restored already."""
        return self.versions[-2] if len(self.versions) > 1 and not self.left else ""

    def forward(self, version: str, *, proved: bool = True) -> "History":
        """Return the history after a deployment of `version`.

        `proved`: the version wanted before has served. If not, a rollback must not restore it, and it is dropped.
        """
        kept = self.versions if proved else self.versions[:-1]
        # Without the dropped version, `version` itself may be the last.
        if kept[-1:] == (version,):
            return History(kept)
        return History((*kept, version)[-self.KEPT :])

    def back(self) -> "History":
        """Return the history without its last version: after a rollback, or because that version failed."""
        return History(self.versions[:-1], left=self.wanted)


@dataclass
class Log:
    """Events of a deployment, printed at once and kept for the result."""

    started: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        """Print and keep one event, with the seconds since the start."""
        self.lines.append(f"{time.monotonic() - self.started:.1f} s: {what}")
        say(what)

    @property
    def events(self) -> tuple[str, ...]:
        """All events so far."""
        return tuple(self.lines)
