"""The window of a drift look: the rows of a score log between two times, or the scores of a whole corpus."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from assay.errors import InputError
from assay.model import PROFILED, ModelInfo, Profile
from assay.monitoring.dependence import Arrivals
from assay.scorelog import read_log
from assay.scoring import MANIFEST, PartFolder, Scores
from assay.storage import exists, join, list_names


@dataclass(frozen=True)
class Window:
    """The scored documents of a window, as counts."""

    profile: Profile
    words: str
    """Description for people."""


def window_of_log(
    place: str,
    version: str,
    info: ModelInfo,
    since: datetime.datetime,
    until: datetime.datetime,
    level: float,
) -> Window:
    """Return the window of the answers of a version from `since` to before `until`.

    `level`: the level of the tests, for which the window tells what its documents are worth.

    Raise InputError if the times are not in order, if the log is missing, or if another version served all the time.
    """
    if since >= until:
        raise InputError(
            f"the window ends at {until:%Y-%m-%d %H:%M}, which is not after its start", fix="Swap the times"
        )
    if not exists(place):
        raise InputError("there is no score log", where=place, fix="Start the service with ASSAY_SERVE_LOG")
    tables = read_log(place, since, until, version=version, columns=["time", *PROFILED])
    arrivals = Arrivals(info.languages)
    # Threads that answer at the same time add their rows in any order.
    ordered = (table.sort_values("time", kind="stable") for table in tables)
    profile = Profile.sum(info.rubric, _profiles(info, ordered, arrivals))
    if not profile.documents and (others := _versions(place, since, until) - {version}):
        raise InputError(
            f"no answer of {version} is in this window, but some of {', '.join(sorted(others))}",
            where=place,
            fix="Name the model that served then",
        )
    words = f"answers of {version} from {_words(since)} to {_words(until)}, UTC"
    return Window(replace(profile, worth=arrivals.worth(level)), words)


def _profiles(info: ModelInfo, tables: Iterable[pd.DataFrame], arrivals: Arrivals) -> Iterator[Profile]:
    """Yield the profile of each table, and add its documents to the arrivals."""
    for table in tables:
        arrivals.add(table)
        yield Profile.of(info.rubric, table)


def _versions(place: str, since: datetime.datetime, until: datetime.datetime) -> set[str]:
    return {version for table in read_log(place, since, until, columns=["version"]) for version in table["version"]}


def window_of_scores(place: str, digest: str, info: ModelInfo, level: float) -> Window:
    """Return the window of all scored documents of a corpus, in their order.

    `level`: as of `window_of_log`.

    `place` is the folder of `assay score --output`, or that of one plan in it. Raise InputError if it holds no complete
    scores by the model with this digest, or those of several corpora.
    """
    folder = _find(place, digest)
    arrivals = Arrivals(info.languages)
    # Only one part is in memory at a time.
    parts = (table for _, table in Scores.complete(folder).rows(list(PROFILED)))
    profile = Profile.sum(info.rubric, _profiles(info, parts, arrivals))
    return Window(replace(profile, worth=arrivals.worth(level)), f"scores of corpus {folder.plan.snapshot[:12]}")


def _find(place: str, digest: str) -> PartFolder:
    if exists(join(place, MANIFEST)):
        places = [place]
    else:
        places = [join(place, name) for name in list_names(place) if exists(join(place, name, MANIFEST))]
    found = [folder for folder in map(PartFolder.open, places) if folder.plan.model == digest]
    if len(found) != 1:
        there = ", ".join(folder.url for folder in found)
        raise InputError(
            f"{'no complete' if not found else 'more than one set of'} scores by the model {digest[:12]}",
            where=place,
            fix=f"Name one of: {there}" if found else "Run `assay score` with it first, to its end",
        )
    return found[0]


def _words(time: datetime.datetime) -> str:
    return f"{time.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S}"
