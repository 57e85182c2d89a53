"""Only what is of a stretch of time: the newest labels, the documents of one night."""

import datetime
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from assay.errors import InputError


def read_time(given: str, where: str = "") -> datetime.datetime:
    """ISO 8601; without a time zone, UTC. Raises InputError for anything else."""
    try:
        time = datetime.datetime.fromisoformat(given)
    except ValueError as error:
        raise InputError(
            f"{given!r} is no time", where=where, fix="Give one as 2026-01-31T12:00, or with a time zone"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def read_date(given: str, where: str = "") -> datetime.date | None:
    """ISO 8601; None where nothing is given. Raises InputError for anything else."""
    try:
        return datetime.date.fromisoformat(given) if given else None
    except ValueError as error:
        raise InputError(f"{given!r} is no date", where=where, fix="Give it like 2026-01-31") from error


@dataclass(frozen=True)
class Period:
    """Rows from `since` to before `until`, by the times in a column."""

    column: str
    """Of the source: timestamps, dates, or text as ISO 8601; without a time zone, UTC."""
    since: str = ""
    """ISO 8601; empty: from the beginning."""
    until: str = ""
    """ISO 8601; empty: to the end."""

    def __post_init__(self) -> None:
        bounds = [read_time(given, "the period of the documents") for given in (self.since, self.until) if given]
        if bounds and not self.column:
            raise InputError("a period without a column of times", fix="Name the column, or leave the period out")
        if len(bounds) == 2 and bounds[0] >= bounds[1]:
            raise InputError(f"nothing lies between {self.since} and {self.until}", fix="Give the earlier time first")

    @classmethod
    def of(cls, column: str, since: str, until: str) -> "Period | None":
        """None where neither a column nor a bound is given: everything is taken."""
        return cls(column, since, until) if column or since or until else None

    def taken(self, batch: pa.RecordBatch, uri: str) -> tuple[pa.RecordBatch, int]:
        """The rows within, and the number of those left out because their time cannot be read.

        Raises InputError where the column is missing, or holds neither times nor text.
        """
        if self.column not in batch.schema.names:
            raise InputError(
                f"no column {self.column!r} for the time",
                where=uri,
                fix=f"Name one of: {', '.join(sorted(batch.schema.names))}",
            )
        column = batch[self.column]
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_temporal(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise InputError(
                f"column {self.column!r} holds {kind}, not times", where=uri, fix="Name a column of times or dates"
            )
        # Text may mix time zones and forms from row to row, which Arrow's own parser does not read.
        times = pd.to_datetime(pd.Series(column.to_pylist()), utc=True, errors="coerce", format="ISO8601")
        within = times.notna()
        if self.since:
            within &= times >= read_time(self.since)
        if self.until:
            within &= times < read_time(self.until)
        return batch.filter(pa.array(within.to_numpy())), int(times.isna().sum())
