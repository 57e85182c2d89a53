"""The log of drift looks: it counts the looks of a year, and lets alarms cool down."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from assay.errors import InputError
from assay.monitoring.config import HOURS_A_YEAR
from assay.storage import NumberedLog, only_known_fields


@only_known_fields
@dataclass(frozen=True)
class DriftLook:
    """One entry of the log: a comparison of a window with the reference."""

    number: int
    """Number of the entry, 1 for the first."""
    when: str
    """Time of the look, ISO 8601, UTC."""
    version: str
    """Name of the model's version."""
    window: str
    """Description of the window, for people."""
    documents: int
    """Documents of the window with a score."""
    alarms: tuple[str, ...]
    """Names of the statistics that raised an alarm; empty if there was none."""
    act: bool
    """True if the alarm was to be acted upon: it was not within the time in which an earlier one cools down."""
    shares: dict[str, float]
    """Shares of the window, by name."""
    p: dict[str, float]
    """p-value by statistic."""


@dataclass(frozen=True)
class DriftLookLog:
    """The drift looks of one or several models, numbered `00000001.json`, `00000002.json`, …"""

    url: str
    """Folder or URL of the log, which need not exist yet."""

    @property
    def entries(self) -> NumberedLog[DriftLook]:
        """The numbered log below it."""
        return NumberedLog(self.url, DriftLook, what="this look", fix="Restore it, or remove it")

    def history(self, most: int = 1_000, skipped: list[str] | None = None) -> list[DriftLook]:
        """Return the last looks, the oldest first. Raise InputError or fill `skipped` as `NumberedLog.history`."""
        return self.entries.history(most, skipped)

    def last_act(self, version: str, since: datetime.datetime) -> DriftLook | None:
        """Return the last look of a version, since then, whose alarm was to be acted upon. None if there is none.

        Raise InputError if a look since then cannot be read: it may be the one.
        """
        entries = self.entries
        for number in reversed(entries.numbers()):
            look = entries.read(number)
            if datetime.datetime.fromisoformat(look.when) < since:
                return None
            if look.act and look.version == version:
                return look
        return None

    def count_of_a_year(self, now: datetime.datetime) -> int:
        """Return the number of looks in the year before `now`.

        A look that cannot be read counts as one of this year: counting too many is the safe side, because the promise
        on false alarms holds for at most the planned number of looks.
        """
        numbers, since = self.entries.numbers(), now - datetime.timedelta(hours=HOURS_A_YEAR)
        # Looks are numbered in the order of time, so a bisection finds the first of the year without reading them all.
        low, high = 0, len(numbers)
        while low < high:
            middle = (low + high) // 2
            if self._older(numbers[middle], since):
                low = middle + 1
            else:
                high = middle
        return len(numbers) - low

    def append(self, look: Callable[[int], DriftLook]) -> DriftLook:
        """Add the look that `look` returns for the next free number, and return it.

        Raise InputError if others write faster for 20 numbers.
        """
        return self.entries.append(look)

    def _older(self, number: int, since: datetime.datetime) -> bool:
        try:
            return datetime.datetime.fromisoformat(self.entries.read(number).when) < since
        except InputError:
            return False
