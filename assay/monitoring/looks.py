"""Former looks: a create-only numbered log below a place, so that looks are counted and alarms cool down."""

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from assay.errors import InputError
from assay.monitoring.config import HOURS_A_YEAR
from assay.storage import create, join, list_names, read_bytes

TRIES = 20
"""Numbers that are tried where others look at the same time."""


@dataclass(frozen=True)
class DriftLook:
    """One entry."""

    number: int
    """1 for the first."""
    when: str
    """ISO 8601, UTC."""
    version: str
    """Of the model."""
    window: str
    """What was looked at, in words."""
    documents: int
    alarms: tuple[str, ...]
    """Names of the statistics that raised one; none on a calm look."""
    act: bool
    """Whether the alarm was one to act upon."""
    shares: dict[str, float]
    """Of the window."""
    p: dict[str, float]
    """By statistic."""


@dataclass(frozen=True)
class DriftLookLog:
    """`00000001.json`, `00000002.json`, … below a folder or URL; it may be one for several models."""

    url: str

    def history(self, most: int = 1_000, skipped: list[str] | None = None) -> list[DriftLook]:
        """The last looks, the oldest first. Raises InputError where an entry cannot be read; with `skipped`, its
        message is added there instead, and the others are given all the same."""
        looks = []
        for number in self._numbers()[-most:]:
            try:
                looks.append(self._read(number))
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
        return looks

    def last_act(self, version: str, since: datetime.datetime) -> DriftLook | None:
        """The last look of a version, since then, whose alarm was to be acted upon.

        Raises InputError where one since then cannot be read: it may have been the one.
        """
        for number in reversed(self._numbers()):
            look = self._read(number)
            if datetime.datetime.fromisoformat(look.when) < since:
                return None
            if look.act and look.version == version:
                return look
        return None

    def count_of_a_year(self, now: datetime.datetime) -> int:
        """Looks in the year before now, found by bisection: they lie in the order of time.

        One that cannot be read is taken for one of this year, so that rather too many are counted.
        """
        numbers, since = self._numbers(), now - datetime.timedelta(hours=HOURS_A_YEAR)
        low, high = 0, len(numbers)
        while low < high:
            middle = (low + high) // 2
            if self._older(numbers[middle], since):
                low = middle + 1
            else:
                high = middle
        return len(numbers) - low

    def append(self, look: Callable[[int], DriftLook]) -> DriftLook:
        """Add what `look` makes of the next free number. Raises InputError where there is none for long."""
        for _ in range(TRIES):
            made = look(max(self._numbers(), default=0) + 1)
            entry = {key: value for key, value in asdict(made).items() if key != "number"}
            try:
                create(self._entry(made.number), json.dumps(entry, indent=2).encode())
            except FileExistsError:
                continue
            return made
        raise InputError("others add looks faster than this one can", where=self.url, fix="Try again")

    def _older(self, number: int, since: datetime.datetime) -> bool:
        try:
            return datetime.datetime.fromisoformat(self._read(number).when) < since
        except InputError:
            return False

    def _numbers(self) -> Sequence[int]:
        stems = [name.removesuffix(".json") for name in list_names(self.url) if name.endswith(".json")]
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _entry(self, number: int) -> str:
        return join(self.url, f"{number:08d}.json")

    def _read(self, number: int) -> DriftLook:
        try:
            fields = json.loads(read_bytes(self._entry(number)))
            if datetime.datetime.fromisoformat(fields["when"]).tzinfo is None:
                raise ValueError("its time has no time zone")
            return DriftLook(
                number=number, **{**fields, "alarms": tuple(fields["alarms"]), "shares": dict(fields["shares"])}
            )
        except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"this look cannot be read: {error!r}", where=self._entry(number), fix="Restore it, or remove it"
            ) from error
