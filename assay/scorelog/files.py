"""Files of a score log, below a folder or URL.

    2026-01-31/rows-20260131T120000.123-20260131T120500.456-1a2b3c4d.parquet

The folder of a day holds the files that begin on that day. A name has the times of the first and the last row, so that
a reader opens only the files of its window. A file appears when it is complete, and never changes.
"""

import datetime
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.storage import join, list_names, parquet_bytes, read_parquet, write_bytes

SCHEMA = pa.schema(
    {
        "time": pa.timestamp("ms", tz="UTC"),
        "version": pa.string(),
        "score": pa.float64(),
        "calibrated": pa.float64(),
        "p_keep": pa.float64(),
        "grade": pa.int64(),
        "keep": pa.bool_(),
        "tokens": pa.int64(),
        "read": pa.float64(),
        "language": pa.string(),
        "in_scope": pa.bool_(),
        "reason": pa.string(),
    }
)
"""Columns of the log, one row an answer: its time (UTC), the version of the model, the scores. No text and no id."""
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
STAMP = "%Y%m%dT%H%M%S.%f"
NAME = re.compile(r"rows-(\d{8}T\d{6}\.\d{3})-(\d{8}T\d{6}\.\d{3})-[0-9a-f]{8}\.parquet")
LONGEST = datetime.timedelta(days=1)
"""Longest time from the first row of a file to its last: `read_log` looks for files that begin this long before."""


def write_rows(place: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows of SCHEMA to a new file below `place`, a folder or URL. Return its URL. Other fields are left out.

    Raise the error of the place if it cannot be written.
    """
    # Converted to UTC here, because Arrow does not always respect another time zone.
    times = [row["time"].astimezone(datetime.UTC) for row in rows]
    table = pa.Table.from_pylist([{**row, "time": time} for row, time in zip(rows, times, strict=True)], SCHEMA)
    # Not the times of the first and the last row: threads that answer at the same time add their rows in any order.
    first, last = min(times), max(times)
    url = join(place, f"{first:%Y-%m-%d}", f"rows-{_stamp(first)}-{_stamp(last)}-{uuid.uuid4().hex[:8]}.parquet")
    write_bytes(url, parquet_bytes(table))
    return url


def read_log(
    place: str,
    since: datetime.datetime,
    until: datetime.datetime,
    *,
    version: str = "",
    columns: Sequence[str] = tuple(SCHEMA.names),
    skipped: list[str] | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the rows from `since` to before `until`, both with a time zone, one table a file.

    `version`: version of the model (default: all). Raise InputError if a file cannot be read. With `skipped`, add the
    message to that list instead, and read the other files.
    """
    for url in _files(place, since, until):
        try:
            table = read_parquet(url, list(dict.fromkeys(["time", "version", *columns]))).to_pandas()
        except (OSError, pa.ArrowException) as error:
            unreadable = InputError(f"this file of the score log cannot be read: {error}", where=url, fix="Remove it")
            if skipped is None:
                raise unreadable from error
            skipped.append(str(unreadable))
            continue
        wanted = (table["time"] >= since) & (table["time"] < until)
        if version:
            wanted &= table["version"] == version
        yield table.loc[wanted, list(columns)]


def _files(place: str, since: datetime.datetime, until: datetime.datetime) -> Iterator[str]:
    # A file of the day before may reach into the window.
    first, last = (f"{each.astimezone(datetime.UTC):%Y-%m-%d}" for each in (since - LONGEST, until))
    for day in list_names(place):
        if not DAY.fullmatch(day) or not first <= day <= last:
            continue
        for name in list_names(join(place, day)):
            found = NAME.fullmatch(name)
            # A name has whole milliseconds: its last row may be up to one later than the name tells.
            if found and _time(found[1]) < until and _time(found[2]) >= since - datetime.timedelta(milliseconds=1):
                yield join(place, day, name)


def _stamp(time: datetime.datetime) -> str:
    return time.strftime(STAMP)[:-3]


def _time(stamp: str) -> datetime.datetime:
    return datetime.datetime.strptime(stamp, STAMP).replace(tzinfo=datetime.UTC)
