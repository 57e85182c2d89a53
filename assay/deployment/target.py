"""What every place that serves a model can do: take a version, say what it serves, go back."""

import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assay.errors import InputError
from assay.progress import say

State = Literal["nothing", "serving", "moving", "degraded", "down"]
"""`moving`: on its way to another version, or stuck there. `degraded`: it answers, and something is not as it should
be. `down`: nobody answers."""


@dataclass(frozen=True)
class Deployed:
    """What a deployment or a way back came to."""

    version: str
    """That serves now."""
    previous: str
    """That `rollback` would restore; empty where there is none."""
    changed: bool
    """False where it served already and nothing was done."""
    where: str
    """How it is reached."""
    events: tuple[str, ...] = ()
    """What was done, in words, in order."""


@dataclass(frozen=True)
class Status:
    """What serves at this moment."""

    state: State
    version: str
    """That answers now, as far as is known; empty where none does."""
    previous: str
    """That `rollback` would restore; empty where there is none."""
    where: str
    """How it is reached; empty where nothing is."""
    words: str
    """The same in a sentence, with what is wrong."""


class Target(Protocol):
    """A place that serves one version at a time. Each call may be repeated: it finishes what was interrupted."""

    def deploy(self, version: str) -> Deployed:
        """Serve a version, by its full name in the registry; it serves already: nothing is done.

        Raises FailedDeploymentError where it does not prove itself; what served before serves then, or the error
        says that it does not.
        """
        ...

    def status(self) -> Status:
        """DriftLook, and change nothing."""
        ...

    def rollback(self) -> Deployed:
        """Serve again what served before the last deployment; that was restored already: nothing is done.

        Raises InputError where nothing served before.
        """
        ...


class FailedDeploymentError(InputError):
    """A version did not come to serve."""

    def __init__(self, what: str, *, version: str, serving: str, where: str = "", fix: str = "") -> None:
        """`serving`: the version that serves now all the same; empty where none does."""
        super().__init__(what, where=where, fix=fix)
        self.version, self.serving = version, serving


@dataclass(frozen=True)
class History:
    """Versions in the order in which they came to serve, the last one wanted now. A value: changes make another."""

    versions: tuple[str, ...] = ()
    left: str = ""
    """The version that was given up last, so that a way back is not gone twice; empty after a deployment."""

    KEPT = 10
    """Older ones are forgotten."""

    @property
    def wanted(self) -> str:
        """Empty where nothing was deployed."""
        return self.versions[-1] if self.versions else ""

    @property
    def previous(self) -> str:
        """What a way back leads to; empty where there is none, or it was gone already."""
        return self.versions[-2] if len(self.versions) > 1 and not self.left else ""

    def forward(self, version: str, *, proved: bool = True) -> "History":
        """With another version wanted. One that never served (`proved` is false) is no place to go back to."""
        kept = self.versions if proved else self.versions[:-1]
        if kept[-1:] == (version,):
            return History(kept)
        return History((*kept, version)[-self.KEPT :])

    def back(self) -> "History":
        """Without the last one: by `rollback`, or because it did not prove itself."""
        return History(self.versions[:-1], left=self.wanted)


@dataclass
class Log:
    """What happens in a deployment, told to people at once and kept for the answer."""

    started: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        """One event."""
        self.lines.append(f"{time.monotonic() - self.started:.1f} s: {what}")
        say(what)

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self.lines)
