"""The start of a run, and the period of a scheduled one. Never cached."""

import datetime
import time
from typing import NamedTuple

from flytekit import task

from assay.errors import InputError
from tasks.support.resources import light


def with_zone(moment: datetime.datetime) -> datetime.datetime:
    """Return a scheduled moment with its time zone; without one it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


class Days(NamedTuple):
    """A period in ISO 8601; empty strings mean all times."""

    since: str
    until: str


@task(**light())
def now() -> float:
    """Return the time in seconds since the epoch."""
    return time.time()


@task(**light())
def days_before(kickoff: datetime.datetime, days: int, time_column: str) -> Days:
    """Return the `days` before a scheduled moment; 0 days: all times until then.

    Without a column of times, the period is all times. Raise InputError if `days` is negative.
    """
    if days < 0:
        raise InputError(f"a period of {days} days", fix="Give 0, for all until now, or more")
    if not time_column:
        return Days("", "")
    until = with_zone(kickoff)
    since = (until - datetime.timedelta(days=days)).isoformat() if days else ""
    return Days(since, until.isoformat())
