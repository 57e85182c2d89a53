"""An alias is a create-only numbered log: its last entry is where it points, all of them are its history."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from assay.errors import InputError
from assay.storage import create, join, list_names, read_bytes


@dataclass(frozen=True)
class AliasMove:
    """One entry of the log."""

    number: int
    """1 for the first."""
    version: str
    who: str
    why: str
    when: str
    """ISO 8601, UTC."""
    evidence: dict[str, Any] = field(default_factory=dict)
    previous: str = ""
    """In the champion's log: what `previous` stands for from this move on; empty where nothing served before."""


@dataclass(frozen=True)
class AliasLog:
    """The log of one alias, below an fsspec URL: `00000001.json`, `00000002.json`, …"""

    url: str

    def history(self, skipped: list[str] | None = None) -> list[AliasMove]:
        """All moves, the oldest first. Raises InputError where an entry cannot be read; with `skipped`, its message is
        added there instead, and the others are given all the same."""
        moves = []
        for name in self._names():
            try:
                moves.append(self._read(name))
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
        return moves

    def last(self) -> AliasMove | None:
        """The last move, read alone. Raises InputError where it cannot be read, for then nobody knows."""
        names = self._names()
        return self._read(names[-1]) if names else None

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
        """Append a move that was decided knowing that `after` is the last one.

        Of several who decided at once exactly one succeeds. Raises InputError for the others, and where `after`
        is not the last any more.
        """
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        move = AliasMove((after.number if after else 0) + 1, version, who, why, when, dict(evidence), previous)
        fields = {key: value for key, value in asdict(move).items() if key != "number"}
        try:
            create(join(self.url, f"{move.number:08d}.json"), json.dumps(fields, indent=2).encode())
        except FileExistsError as error:
            last = self.last() or move
            raise InputError(
                f"{last.who} moved it to {last.version} meanwhile ({last.why})",
                where=self.url,
                fix="Check what is there now, and decide again",
            ) from error
        return move

    def _names(self) -> list[str]:
        return [name for name in list_names(self.url) if name.endswith(".json")]

    def _read(self, name: str) -> AliasMove:
        where = join(self.url, name)
        try:
            fields = json.loads(read_bytes(where))
            if datetime.datetime.fromisoformat(fields["when"]).tzinfo is None:
                raise ValueError("its time has no time zone")
            fields["evidence"] = dict(fields.get("evidence", {}))
            return AliasMove(number=int(name.removesuffix(".json")), **fields)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"this entry cannot be read: {error!r}", where=where, fix="Restore it") from error
