"""Gather the state of the registry, the looks and the score log. What cannot be read is skipped and reported."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from assay.errors import InputError
from assay.gates import Verdict
from assay.monitoring import DriftLook, DriftLookLog
from assay.promotion import Use, decisions
from assay.registry import CHAMPION, PREVIOUS, AliasMove, Decision, DecisionLog, Registry, Version, served_before
from assay.scorelog import read_log
from assay.scoring import Cost, cost_log
from assay.storage import join, parse_json, read_bytes, require_folder

DAYS = 30
"""Days of the score log that are read by default."""
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class StatePlaces:
    """The places that the state is gathered from."""

    registry: str
    looks: str = ""
    """Value of `assay watch --looks`. Empty: the looks are not read."""
    log: str = ""
    """Value of ASSAY_SERVE_LOG. Empty: the score log is not read."""
    days: int = DAYS
    """Days of the score log to read, with today."""
    scores: str = ""
    """Root of the scores, with the ledger of their costs. Empty: it is not read."""
    core_hour: float = 0.0
    """Price of an hour of a processor core, in any currency. 0: unknown."""
    gpu_hour: float = 0.0
    """Price of an hour of a GPU, in the same currency."""

    def __post_init__(self) -> None:
        if not 1 <= self.days <= 3_660:
            raise InputError(f"{self.days} days of the score log", fix="Give 1 or more, up to ten years")
        for name in ("core_hour", "gpu_hour"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"a price of {getattr(self, name)} for {name}", fix="Give 0 or more")


@dataclass(frozen=True)
class Known:
    """A version, and facts from the evaluation in its model folder."""

    version: Version
    aliases: tuple[str, ...]
    primary: str
    """Name of the rubric's primary metric. Empty, as the fields below, if the folder has no evaluation."""
    gates: tuple[Verdict, ...] = ()
    training: dict[str, float] = field(default_factory=dict)
    """Cost of the training, as `Evaluation.training`."""


@dataclass(frozen=True)
class _Rubric:
    primary_metric: str


@dataclass(frozen=True)
class _Evaluation:
    """The fields of `evaluation.json` that the page shows. Other fields may be damaged without effect on it."""

    rubric: _Rubric
    gates: tuple[Verdict, ...] = ()
    training: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Day:
    """The logged answers of one day, UTC."""

    date: datetime.date
    documents: int
    scored: int
    """Documents with a score."""
    kept: int
    """Those of them that were kept."""
    calibrated: float
    """Sum of the expected labels of the documents with a score."""


@dataclass(frozen=True)
class State:
    """Everything that the page shows."""

    places: StatePlaces
    now: datetime.datetime
    champion: AliasMove | None
    champion_known: bool
    """False if the last entry of its log cannot be read. Then `champion` is None, although there may be one."""
    previous: str
    """Name of the version that a rollback would restore. Empty if there is none."""
    moves: tuple[AliasMove, ...]
    """Moves of the champion, the oldest first."""
    versions: tuple[Known, ...]
    """All versions, the oldest first."""
    judged: tuple[tuple[str, Use], ...]
    """Digest of a test set, and a challenge decided on it; the oldest first."""
    decisions: tuple[Decision, ...]
    """Decisions of the workflows, the oldest first."""
    looks: tuple[DriftLook, ...]
    """The last thousand looks, the oldest first."""
    days: tuple[Day, ...]
    """Days with answers, the oldest first."""
    costs: tuple[Cost, ...]
    """What scoring cost, the oldest run first."""
    unreadable: tuple[str, ...]
    """One sentence for each thing that is missing above because it could not be read."""


def gather_state(places: StatePlaces, *, now: datetime.datetime | None = None) -> State:
    """Read everything. What does not exist yet is empty. What cannot be read is left out and named in `unreadable`.

    Raise InputError if the registry, the looks or the log are a file, or a place of an unknown kind.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    for place in filter(None, (places.registry, places.looks, places.log, places.scores)):
        require_folder(place)
    registry, skipped = Registry(places.registry), []  # type: Registry, list[str]
    moves = registry.history(CHAMPION, skipped)
    champion, known = _champion(registry)
    aliases = {CHAMPION: champion.version if champion else "", PREVIOUS: _previous(registry, champion, skipped)}
    versions = [_known(registry, version, aliases, skipped) for version in registry.versions(skipped)]
    judged = [(digest, use) for digest, uses in decisions(places.registry, skipped).items() for use in uses]
    decided: list[Decision] = []
    with _reported(places.registry, skipped):
        decided = DecisionLog(places.registry).history(skipped=skipped)
    looks: list[DriftLook] = []
    days: list[Day] = []
    if places.looks:
        with _reported(places.looks, skipped):
            looks = DriftLookLog(places.looks).history(skipped=skipped)
    if places.log:
        with _reported(places.log, skipped):
            days = _days(places, now, skipped)
    costs: list[Cost] = []
    if places.scores:
        with _reported(places.scores, skipped):
            costs = cost_log(places.scores).history(skipped=skipped)
    return State(
        places,
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
        tuple(costs),
        tuple(dict.fromkeys(skipped)),
    )


@contextmanager
def _reported(place: str, skipped: list[str]) -> Iterator[None]:
    """Add an error of the block to `skipped`: a place that cannot be reached must not cost the whole page."""
    try:
        yield
    except (InputError, OSError) as error:
        skipped.append(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error} ({place})")


def _champion(registry: Registry) -> tuple[AliasMove | None, bool]:
    """Return the last move of the champion, and False if it cannot be read. An older move is never returned instead."""
    try:
        return registry.alias(CHAMPION), True
    except InputError:  # it is in `skipped` already, by the history of the alias
        return None, False


def _previous(registry: Registry, champion: AliasMove | None, skipped: list[str]) -> str:
    before = None
    with _reported(registry.url, skipped):
        before = served_before(registry, champion)
    return before or ""


def _known(registry: Registry, version: Version, aliases: dict[str, str], skipped: list[str]) -> Known:
    where = join(registry.url, "versions", version.name, "model", "evaluation.json")
    names = tuple(alias for alias, name in aliases.items() if name == version.name)
    try:
        evaluation = parse_json(_Evaluation, read_bytes(where), what="an evaluation", where=where)
    except FileNotFoundError:  # a model folder may be registered without an evaluation
        return Known(version, names, "")
    except (InputError, OSError) as error:
        skipped.append(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error} ({where})")
        return Known(version, names, "")
    return Known(version, names, evaluation.rubric.primary_metric, evaluation.gates, evaluation.training)


def _days(places: StatePlaces, now: datetime.datetime, skipped: list[str]) -> list[Day]:
    """Sum up the score log by days, file by file: memory holds one of them."""
    today = now.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days: dict[datetime.date, Day] = {}
    columns = ("time", "keep", "calibrated", "reason")
    for table in read_log(places.log, today - (places.days - 1) * DAY, now, columns=columns, skipped=skipped):
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
