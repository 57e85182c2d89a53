"""What registry, looks and score log say at this moment, gathered without ever stopping at what cannot be read."""

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from assay.errors import InputError
from assay.gates import Verdict
from assay.monitoring import DriftLook, DriftLookLog
from assay.promotion import Use, decisions
from assay.registry import CHAMPION, PREVIOUS, AliasMove, Decision, DecisionLog, Registry, Version, served_before
from assay.scorelog import read_log
from assay.storage import join, read_bytes, require_folder

DAYS = 30
"""Of the score log that are read."""
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Asked:
    """Where to look."""

    registry: str
    looks: str = ""
    """What `assay watch --looks` was given; empty: nobody watches, or it is not known."""
    log: str = ""
    """What ASSAY_SERVE_LOG was set to; empty: likewise."""
    days: int = DAYS
    """Of the log, today counted."""

    def __post_init__(self) -> None:
        if not 1 <= self.days <= 3_660:
            raise InputError(f"{self.days} days of the score log", fix="Give 1 or more, up to ten years")


@dataclass(frozen=True)
class Known:
    """A version, and what its model folder says of its making."""

    version: Version
    aliases: tuple[str, ...]
    primary: str
    """Name of the rubric's metric that decides; empty where the folder has no evaluation, as all that follows."""
    gates: tuple[Verdict, ...] = ()
    training: dict[str, float] = field(default_factory=dict)
    """What it cost, as `Evaluation.training`."""


@dataclass(frozen=True)
class Day:
    """One day of the score log, UTC, by one version or by all: the logged answers alone."""

    date: datetime.date
    documents: int
    scored: int
    """Of them, those that got a score; the two that follow are of these."""
    kept: int
    calibrated: float
    """Sum of the expected labels."""


@dataclass(frozen=True)
class State:
    """All of it."""

    asked: Asked
    now: datetime.datetime
    champion: AliasMove | None
    champion_known: bool
    """False where the last entry of its log cannot be read: then `champion` is None, and there may be one."""
    previous: str
    """Name of the version that a rollback would restore; empty where there is none."""
    moves: tuple[AliasMove, ...]
    """Of the champion, the oldest first."""
    versions: tuple[Known, ...]
    """The oldest first."""
    judged: tuple[tuple[str, Use], ...]
    """Digest of a test set, and a decision that it served; the oldest first."""
    decisions: tuple[Decision, ...]
    """Of the workflows, the oldest first."""
    looks: tuple[DriftLook, ...]
    """The last thousand, the oldest first."""
    days: tuple[Day, ...]
    """Those with answers, the oldest first."""
    unreadable: tuple[str, ...]
    """What is missing above because it could not be read, a sentence each."""


def gather_state(asked: Asked, *, now: datetime.datetime | None = None) -> State:
    """What is not there yet is empty; what cannot be read is left out, and told in `unreadable`.

    Raises InputError where the registry, the looks or the log are a file, or of an unknown kind of place.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    for place in filter(None, (asked.registry, asked.looks, asked.log)):
        require_folder(place)
    registry, skipped = Registry(asked.registry), []  # type: Registry, list[str]
    moves = registry.history(CHAMPION, skipped)
    champion, known = _champion(registry)
    aliases = {CHAMPION: champion.version if champion else "", PREVIOUS: _previous(registry, champion, skipped)}
    versions = [_known(registry, version, aliases, skipped) for version in registry.versions(skipped)]
    judged = [(digest, use) for digest, uses in decisions(asked.registry, skipped).items() for use in uses]
    decided: list[Decision] = []
    with _told(asked.registry, skipped):
        decided = DecisionLog(asked.registry).history(skipped=skipped)
    looks: list[DriftLook] = []
    days: list[Day] = []
    if asked.looks:
        with _told(asked.looks, skipped):
            looks = DriftLookLog(asked.looks).history(skipped=skipped)
    if asked.log:
        with _told(asked.log, skipped):
            days = _days(asked, now, skipped)
    return State(
        asked,
        now,
        champion,
        known,
        aliases[PREVIOUS],
        tuple(moves),
        tuple(versions),
        tuple(sorted(judged, key=lambda of: of[1].when)),
        tuple(decided),
        tuple(looks),
        tuple(days),
        tuple(dict.fromkeys(skipped)),
    )


@contextmanager
def _told(place: str, skipped: list[str]) -> Iterator[None]:
    """A place that cannot be reached costs what lies there alone."""
    try:
        yield
    except (InputError, OSError) as error:
        skipped.append(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error} ({place})")


def _champion(registry: Registry) -> tuple[AliasMove | None, bool]:
    """Its last move, and whether that is known: an older one must not pass for it."""
    try:
        return registry.alias(CHAMPION), True
    except InputError:  # told already with its history
        return None, False


def _previous(registry: Registry, champion: AliasMove | None, skipped: list[str]) -> str:
    before = None
    with _told(registry.url, skipped):
        before = served_before(registry, champion)
    return before or ""


def _known(registry: Registry, version: Version, aliases: dict[str, str], skipped: list[str]) -> Known:
    where = join(registry.url, "versions", version.name, "model", "evaluation.json")
    names = tuple(alias for alias, name in aliases.items() if name == version.name)
    try:
        fields: dict[str, Any] = json.loads(read_bytes(where))
        return Known(
            version,
            names,
            str(fields["rubric"]["primary_metric"]),
            tuple(Verdict.from_json(of) for of in fields.get("gates", [])),
            {name: float(value) for name, value in fields.get("training", {}).items()},
        )
    except FileNotFoundError:  # a model that was registered by itself
        return Known(version, names, "")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        skipped.append(f"an evaluation cannot be read: {error!r} ({where})")
        return Known(version, names, "")


def _days(asked: Asked, now: datetime.datetime, skipped: list[str]) -> list[Day]:
    """Of a file at a time, so that no more than one is held."""
    today = now.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days: dict[datetime.date, Day] = {}
    columns = ("time", "keep", "calibrated", "reason")
    for table in read_log(asked.log, today - (asked.days - 1) * DAY, now, columns=columns, skipped=skipped):
        for date, part in table.groupby(table["time"].dt.date):
            scored, before = part[part["reason"].isna()], days.get(date, Day(date, 0, 0, 0, 0.0))
            days[date] = Day(
                date,
                before.documents + len(part),
                before.scored + len(scored),
                before.kept + int(scored["keep"].sum()),
                before.calibrated + float(scored["calibrated"].sum()),
            )
    return [days[date] for date in sorted(days)]
