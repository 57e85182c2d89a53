"""When a run began, and which period it is about. Never cached."""

import datetime
import time
from typing import NamedTuple

from flytekit import task

from assay.errors import InputError
from tasks.support.resources import light


def with_zone(moment: datetime.datetime) -> datetime.datetime:
    """A scheduled moment; without a time zone it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


class Days(NamedTuple):
    since: str
    until: str


@task(**light())
def now() -> float:
    """Seconds since the epoch."""
    return time.time()


@task(**light())
def days_before(kickoff: datetime.datetime, days: int, time_column: str) -> Days:
    """The days before a scheduled moment, as ISO 8601; empty, for all times, where no column tells them.

    `days` of 0: everything until then.
    """
    if days < 0:
        raise InputError(f"a period of {days} days", fix="Give 0, for all until now, or more")
    if not time_column:
        return Days("", "")
    until = with_zone(kickoff)
    since = (until - datetime.timedelta(days=days)).isoformat() if days else ""
    return Days(since, until.isoformat())
