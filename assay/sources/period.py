"""Select the rows of a period: the newest labels, the documents of one night."""

import datetime
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.options import named


def read_time(given: str, where: str = "") -> datetime.datetime:
    """Return a time given in ISO 8601; UTC if it names no time zone. Raise InputError for anything else."""
    try:
        time = datetime.datetime.fromisoformat(given)
    except ValueError as error:
        raise InputError(
            f"{given!r} is not a time", where=where, fix="Give one as 2026-01-31T12:00, or with a time zone"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def read_date(given: str, where: str = "") -> datetime.date | None:
    """Return a date given in ISO 8601, or None for an empty string. Raise InputError for anything else."""
    try:
        return datetime.date.fromisoformat(given) if given else None
    except ValueError as error:
        raise InputError(f"{given!r} is not a date", where=where, fix="Give it like 2026-01-31") from error


@dataclass(frozen=True)
class Period:
    """Rows whose time in a column is at or after `since` and before `until`."""

    column: str = field(default="", metadata=named("time_column"))
    """Column of the times in the source: timestamps, dates, or ISO 8601 text. UTC if it names no time zone."""
    since: str = ""
    """Start of the period in ISO 8601, included. Empty: from the beginning."""
    until: str = ""
    """End of the period in ISO 8601, excluded. Empty: to the end."""

    def __post_init__(self) -> None:
        bounds = [read_time(given, "the period of the documents") for given in (self.since, self.until) if given]
        if bounds and not self.column:
            raise InputError("a period without a column of times", fix="Name the column, or leave the period out")
        if len(bounds) == 2 and bounds[0] >= bounds[1]:
            raise InputError(f"nothing lies between {self.since} and {self.until}", fix="Give the earlier time first")

    @classmethod
    def of(cls, column: str, since: str, until: str) -> "Period | None":
        """Return a period, or None if neither a column nor a bound is given: then all rows count."""
        return cls(column, since, until) if column or since or until else None

    def taken(self, batch: pa.RecordBatch, uri: str) -> tuple[pa.RecordBatch, int]:
        """Return the rows of the period, and the number of rows whose time cannot be read, which are left out.

        Raise InputError if the column is missing or holds neither times nor text.
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
