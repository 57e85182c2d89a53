"""The log of decisions about versions, promotions and refusals alike, with a page for each decision.

<registry>/decisions/00000001.json    the decision, its time, its reason, and the steps that were carried out
<registry>/decisions/00000001.html    the same for people
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from assay.storage import NumberedLog, join, only_known_fields

Outcome = Literal["promoted", "kept", "deployed", "rolled back", "failed"]
"""`kept`: the champion stays, because the promotion rules did not pass the challenger or nothing new was learned.
`failed`: the version was to be put in service and was not; the version that served before still serves."""


@only_known_fields
@dataclass(frozen=True)
class Decision:
    """One entry of the log."""

    version: str
    """Name of the version that the decision is about."""
    outcome: Outcome
    champion: str
    """Name of the champion after the decision. Empty if there is no champion."""
    serving: str
    """Name of the version that serves after the decision, as far as known. Empty if none serves."""
    sentence: str
    """The decision and its reason, for people."""
    events: tuple[str, ...] = ()
    """The steps that were carried out, in order, for people."""
    when: str = ""
    """Time of the decision, ISO 8601, UTC. Empty before the decision is in the log."""
    number: int = 0
    """Number of the entry, 1 for the first. 0 before the decision is in the log."""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.sentence}"


@dataclass(frozen=True)
class DecisionLog:
    """The decisions of a registry."""

    registry: str
    """Folder or URL of the registry."""

    @property
    def url(self) -> str:
        """Folder or URL of the log."""
        return join(self.registry, "decisions")

    @property
    def entries(self) -> NumberedLog[Decision]:
        """The numbered log below it."""
        return NumberedLog(self.url, Decision, what="this decision", ensure_ascii=False)

    def append(self, decision: Decision, page: Callable[[Decision], str]) -> Decision:
        """Add a decision with the next free number and the current time, and return it as it is stored.

        `page` returns the HTML page of a decision. Raise InputError if others write faster for 20 numbers.
        """
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entries = self.entries

        def numbered(number: int) -> Decision:
            entry = replace(decision, when=when, number=number)
            # The page comes before the entry, so that every entry has its page. If the process dies between the two,
            # the number has a page alone and stays unused.
            entries.write(number, page(entry).encode(), "html")
            return entry

        return entries.append(numbered)

    def history(self, most: int = 1_000, skipped: list[str] | None = None) -> list[Decision]:
        """Return the last decisions, the oldest first. Raise InputError or fill `skipped` as `NumberedLog.history`."""
        return self.entries.history(most, skipped)

    def page_of(self, decision: Decision) -> str:
        """Return the path or URL of the page of a decision."""
        return self.entries.place(decision.number, "html")
