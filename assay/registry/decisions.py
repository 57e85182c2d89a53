"""What was decided about versions, promotions and refusals alike: a create-only numbered log with a page for each.

<registry>/decisions/00000001.json    what, when, why, and what was done
<registry>/decisions/00000001.html    the same for people
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

from assay.errors import InputError
from assay.storage import create, join, list_names, read_bytes

Outcome = Literal["promoted", "kept", "deployed", "rolled back", "failed"]
"""`kept`: the champion stays, because the gate did not let the challenger pass or nothing new was learned. `failed`: it
was to be put in service and was not; what served before serves."""
TRIES = 20
"""Numbers that are tried where others decide at the same time."""


@dataclass(frozen=True)
class Decision:
    """One entry."""

    version: str
    """That it is about."""
    outcome: Outcome
    champion: str
    """After it; empty where there is none."""
    serving: str
    """That answers after it, as far as is known; empty where none does."""
    sentence: str
    """For people: what was decided, and why."""
    events: tuple[str, ...] = ()
    """What was done, in words, in order."""
    when: str = ""
    """ISO 8601, UTC."""
    number: int = 0
    """1 for the first; 0 while it is not in the log."""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.sentence}"


@dataclass(frozen=True)
class DecisionLog:
    """The decisions of a registry, by its folder or URL."""

    registry: str

    @property
    def url(self) -> str:
        """Where the log lies."""
        return join(self.registry, "decisions")

    def append(self, decision: Decision, page: Callable[[Decision], str]) -> Decision:
        """Add an entry at the next free number, with the time of now; `page` makes its HTML of it.

        Returns it as it stands in the log. Raises InputError where no number is free for long.
        """
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        for _ in range(TRIES):
            entry = replace(decision, when=when, number=max(self._numbers("html"), default=0) + 1)
            html = page(entry).encode()
            fields = {name: value for name, value in asdict(entry).items() if name != "number"}
            try:
                # The entry comes last: where it is, its page is. A number with a page alone stays unused.
                create(self._place(entry.number, "html"), html)
                create(self._place(entry.number, "json"), json.dumps(fields, indent=2, ensure_ascii=False).encode())
            except FileExistsError:
                continue
            return entry
        raise InputError("others decide faster than this one can be kept", where=self.url, fix="Try again")

    def history(self, most: int = 1_000, skipped: list[str] | None = None) -> list[Decision]:
        """The last decisions, the oldest first.

        Raises InputError where an entry cannot be read; with `skipped`, it is left out, and told there.
        """
        found = []
        for number in self._numbers("json")[-most:]:
            place = self._place(number, "json")
            try:
                fields = json.loads(read_bytes(place))
                found.append(Decision(number=number, **{**fields, "events": tuple(fields["events"])}))
            except (ValueError, TypeError, KeyError) as error:
                unread = InputError(f"this decision cannot be read: {error!r}", where=place)
                if skipped is None:
                    raise unread from error
                skipped.append(str(unread))
        return found

    def page_of(self, decision: Decision) -> str:
        """Path or URL of its page."""
        return self._place(decision.number, "html")

    def _numbers(self, kind: str) -> list[int]:
        stems = [name.removesuffix(f".{kind}") for name in list_names(self.url) if name.endswith(f".{kind}")]
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _place(self, number: int, kind: str) -> str:
        return join(self.url, f"{number:08d}.{kind}")
