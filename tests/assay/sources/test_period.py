"""Rows of a period: each row is in exactly one of consecutive periods, in any notation of its time."""

import datetime
import itertools
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.sources import Columns, Period, acquire, open_source, read_date, read_time
from assay.storage import Snapshot

DAY = datetime.timedelta(days=1)
UTC = datetime.UTC
TIMES = st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2026, 3, 1), timezones=st.just(UTC))


@given(st.lists(TIMES, max_size=30), st.lists(TIMES, min_size=1, max_size=4, unique=True), st.booleans())
def test_each_row_is_in_one_of_consecutive_periods(
    times: list[datetime.datetime], cuts: list[datetime.datetime], as_text: bool
) -> None:
    cells = [time.isoformat() for time in times] if as_text else times
    kind = pa.string() if as_text else pa.timestamp("us", tz="UTC")
    batch = pa.record_batch([pa.array(range(len(times))), pa.array(cells, kind)], names=["row", "when"])
    bounds = ["", *(cut.isoformat() for cut in sorted(cuts)), ""]

    taken = [Period("when", since, until).taken(batch, "here") for since, until in itertools.pairwise(bounds)]

    assert sorted(row for part, _ in taken for row in part["row"].to_pylist()) == list(range(len(times)))
    assert all(unread == 0 for _, unread in taken)


def test_times_may_be_dates_or_text_with_and_without_zones() -> None:
    cells = ["2026-01-31", "2026-01-31T23:30:00-02:00", "2026-02-01 00:00:00+00:00", "yesterday", None]
    batch = pa.record_batch([pa.array(cells)], names=["when"])
    period = Period("when", since="2026-02-01")

    kept, unread = period.taken(batch, "here")

    assert kept["when"].to_pylist() == cells[1:3]
    assert unread == 2
    dates = pa.record_batch([pa.array([datetime.date(2026, 1, 31), datetime.date(2026, 2, 1)])], names=["when"])
    assert period.taken(dates, "here")[0].num_rows == 1


def test_a_snapshot_of_a_period_reports_the_rows_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"text": [f"text {n}" for n in range(10)], "day": [f"2026-01-{1 + n:02d}" for n in range(10)]})
    rows.loc[9, "day"] = "soon"
    rows.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    source = open_source(str(tmp_path / "rows.jsonl"))

    acquire(source, Columns(), tmp_path / "taken", period=Period("day", "2026-01-03", "2026-01-05"))

    taken = Snapshot.open(tmp_path / "taken")
    assert taken.take(range(taken.manifest.rows)) == ["text 2", "text 3"]
    assert "2 of 10 rows are from 2026-01-03 to 2026-01-05; 1 have no time" in capsys.readouterr().err
    with pytest.raises(InputError, match="none of 10 rows is from 2027-01-01 to the end, by 'day'"):
        acquire(source, Columns(), tmp_path / "none", period=Period("day", "2027-01-01"))
    assert not (tmp_path / "none").exists()


def test_an_invalid_period_is_refused() -> None:
    batch = pa.record_batch([pa.array([1.5])], names=["label"])

    with pytest.raises(InputError, match="without a column of times"):
        Period.of("", "2026-01-01", "")
    with pytest.raises(InputError, match="nothing lies between"):
        Period("when", "2026-02-01", "2026-01-01")
    with pytest.raises(InputError, match="'soon' is not a time"):
        Period("when", "soon")
    with pytest.raises(InputError, match="no column 'when' for the time"):
        Period("when").taken(batch, "here")
    with pytest.raises(InputError, match="holds double, not times"):
        Period("label").taken(batch, "here")
    with pytest.raises(InputError, match="'tomorrow' is not a date"):
        read_date("tomorrow")
    assert Period.of("", "", "") is None
    assert read_date("") is None
    assert read_time("2026-01-31").tzinfo is UTC
