"""A canary: a share of the traffic goes to a new version beside the serving one, until it is promoted or withdrawn."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from assay.deployment.target import Deployed, FailedDeploymentError
from assay.errors import InputError
from assay.serving import ServeSettings

TESTS = ("errors", "latency", "kept", "p_keep")
"""The tests of each look. Each gets an equal part of the false alarms allowed."""


@dataclass(frozen=True)
class CanaryConfig:
    """The plan of a canary. The share, its duration and all limits are fixed before any traffic is seen."""

    share: float
    """Share of the traffic for the new version, above 0 and at most 0.5. Without it there is no canary. In a cluster it
    is rounded to whole pods."""
    minutes: float = 30.0
    """Duration in minutes."""
    looks: int = 5
    """Number of times at which the new version may be rolled back, spread evenly over the duration."""
    false_alarm: float = 0.05
    """Largest probability that a version like the serving one is rolled back by any test at any look."""
    documents: int = 500
    """Documents that each version must have scored before the new one is promoted."""
    worth: int = 50
    """Independent documents that those of each version must be worth, as documents of one request are not
    independent."""
    few: Literal["rollback", "wait"] = "rollback"
    """Action if the duration ends with fewer documents: roll back, or wait for more."""
    longest_minutes: float = 240.0
    """Minutes after which a canary that waits is rolled back."""
    errors: float = 0.01
    """Smallest increase that matters of the share of requests answered 429 or 500 and above."""
    slower: float = 1.5
    """Factor on the 95th percentile of the serving version's time to the answer, from which the new one is too slow."""
    kept: float = 0.05
    """Smallest change that matters of the share of kept documents. 1 for a version that is meant to keep another share
    switches the test off."""
    p_keep: float = 0.15
    """Smallest distance that matters of the distribution functions of p_keep. 1 switches the test off."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise InputError(f"a canary's share is {self.share}", fix="Give a number above 0, and at most 0.5")
        for name in ("minutes", "looks", "documents", "worth", "longest_minutes"):
            if not 0 < getattr(self, name) < 1e9:  # true for NaN, too
                raise InputError(f"canary_{name} is {getattr(self, name)}", fix="Give a number above 0")
        for name in ("errors", "kept", "p_keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"canary_{name} is {getattr(self, name)}", fix="Give a number from 0 to 1")
        if not 1 <= self.slower < 1e9:
            raise InputError(f"canary_slower is {self.slower}", fix="Give a factor of at least 1")
        if not 1e-6 <= self.false_alarm <= 0.5:
            raise InputError(f"canary_false_alarm is {self.false_alarm}", fix="Give a number from 0.000001 to 0.5")
        if self.few == "wait" and self.longest_minutes < self.minutes:
            raise InputError(
                f"a canary of {self.minutes:g} minutes may take {self.longest_minutes:g} at most",
                fix="Raise canary_longest_minutes",
            )

    @property
    def level(self) -> float:
        """The largest p of one test at one look that is beyond chance.

        Looks share their data and tests their documents. Bonferroni's inequality holds for any dependence.
        """
        return self.false_alarm / (self.looks * len(TESTS))


@dataclass(frozen=True)
class Exposition:
    """The counters of all servers of both versions at one moment, by server, in the text format of Prometheus."""

    serving: Mapping[str, str]
    new: Mapping[str, str]


class EndedCanaryError(InputError):
    """The new version, the serving one, or something between them and the clients ended or was changed by others."""


class Canary(Protocol):
    """A new version with a share of the traffic."""

    @property
    def serving(self) -> str:
        """Version that gets the rest."""
        ...

    @property
    def share(self) -> float:
        """Share that the new version gets."""
        ...

    @property
    def unit(self) -> str:
        """Unit that is sent to one of the versions at random, in words: a request or a connection."""
        ...

    def check(self) -> None:
        """Raise EndedCanaryError if one of the versions has ended, or if others changed the target."""
        ...

    def read(self) -> Exposition:
        """Read the counters of both versions. Raise InputError if a server does not give them."""
        ...

    def promote(self) -> Deployed:
        """Send all traffic to the new version, and end the old one as a deployment does."""
        ...


@runtime_checkable
class CanaryTarget(Protocol):
    """A target that can divide the traffic."""

    def canary(self, version: str, share: float) -> AbstractContextManager[Canary | Deployed]:
        """Check the golden documents of a version, then send it a share of the traffic for the duration of the block.

        If the block ends without `Canary.promote`, the new version is withdrawn, and what served before gets all the
        traffic. Return a Deployed in place of a Canary if the version serves already. Raise InputError if nothing
        serves, and as `Target.deploy`.
        """
        ...


class WithdrawnError(FailedDeploymentError):
    """A canary was rolled back. The message is its verdict."""


def nothing_beside(version: str, where: str) -> InputError:
    """Return the error of a canary without a serving version."""
    return InputError(
        "a canary is compared with the version that serves, and nothing serves",
        where=where,
        fix=f"Deploy {version} without a canary",
    )


def metrics_token(settings: ServeSettings) -> str:
    """Return a token for /metrics of servers with these settings, empty if none is needed.

    Raise InputError if /metrics is closed.
    """
    if settings.metrics == "closed":
        raise InputError("/metrics is closed, and a canary is judged by it", where="ASSAY_SERVE_METRICS", fix="Open it")
    if settings.metrics == "open" or not settings.guarded:
        return next(iter(settings.metrics_tokens), "")
    listed = (*settings.metrics_tokens, *settings.tokens)
    if not listed and settings.tokens_file:
        try:
            lines = settings.tokens_file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise InputError(f"the tokens cannot be read: {error}", where=str(settings.tokens_file)) from error
        listed = tuple(word for line in lines if (word := line.partition("#")[0].strip()))
    return next(iter(listed), "")
