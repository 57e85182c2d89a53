"""The log of an alias: its last entry is the version that the alias names now, all entries are its history."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.errors import InputError
from assay.storage import NumberedLog, only_known_fields


@only_known_fields
@dataclass(frozen=True)
class AliasMove:
    """One entry of the log: the alias was moved to a version."""

    number: int
    """Number of the entry, 1 for the first."""
    version: str
    """Name of the version that the alias names from this move on."""
    who: str
    """Person or program that moved it."""
    why: str
    """Reason, a sentence for people."""
    when: str
    """Time of the move, ISO 8601, UTC."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Figures and files that the move rests on, as plain JSON values."""
    previous: str = ""
    """In the champion's log: the version that `previous` names from this move on. Empty if nothing served before."""


@dataclass(frozen=True)
class AliasLog:
    """The log of one alias in a folder or below an fsspec URL: `00000001.json`, `00000002.json`, …"""

    url: str

    @property
    def entries(self) -> NumberedLog[AliasMove]:
        """The numbered log below it."""
        return NumberedLog(self.url, AliasMove)

    def history(self, skipped: list[str] | None = None) -> list[AliasMove]:
        """Return all moves, the oldest first. Raise InputError or fill `skipped` as `NumberedLog.history`."""
        return self.entries.history(skipped=skipped)

    def last(self) -> AliasMove | None:
        """Return the last move. Raise InputError if it cannot be read: then the version is unknown."""
        return self.entries.last()

    def move(
        self,
        version: str,
        *,
        who: str,
        why: str,
        evidence: Mapping[str, Any],
        after: AliasMove | None,
        previous: str = "",
    ) -> AliasMove:
        """Append a move that was decided when `after` was the last one, and return it.

        The number of the move follows from `after`, so that of several moves decided at once exactly one is written.
        Raise InputError for the others, and if `after` is no longer the last move.
        """
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        move = AliasMove((after.number if after else 0) + 1, version, who, why, when, dict(evidence), previous)
        try:
            self.entries.create(move.number, move)
        except FileExistsError as error:
            last = self.last() or move
            raise InputError(
                f"{last.who} moved it to {last.version} meanwhile ({last.why})",
                where=self.url,
                fix="Check the alias, and decide again",
            ) from error
        return move
