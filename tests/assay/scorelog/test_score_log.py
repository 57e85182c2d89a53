"""The score log: written on its own thread, read by time, and never delaying the service."""

import datetime
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from assay.errors import InputError
from assay.scorelog import LogWriter, read_log
from assay.scorelog.files import SCHEMA, write_rows

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def row(time: datetime.datetime, score: float = 1.0, **more: object) -> dict:
    answer = {"score": score, "calibrated": 1.5, "p_keep": 0.25, "grade": 2, "keep": False, "tokens": 7, "read": 1.0}
    return {**answer, "language": None, "in_scope": True, "reason": None, "version": "a" * 12, "time": time, **more}


def rows(place: str, since: datetime.datetime, until: datetime.datetime, **more: str) -> pd.DataFrame:
    found = list(read_log(place, since, until, **more))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=SCHEMA.names)


def test_rows_that_come_out_of_order_are_found_by_their_own_time(tmp_path: Path) -> None:
    east = datetime.timezone(HOUR * 5)
    times = [NOON, NOON - 13 * HOUR, NOON + HOUR]
    write_rows(str(tmp_path), [row(time.astimezone(east), score) for score, time in enumerate(times)])

    assert rows(str(tmp_path), NOON - 14 * HOUR, NOON - 12 * HOUR)["score"].tolist() == [1.0]
    assert rows(str(tmp_path), NOON + HOUR, NOON + 2 * HOUR)["score"].tolist() == [2.0]


class Reported:
    """The outcomes and errors that a writer reports."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.errors: list[BaseException] = []

    def __call__(self, outcome: str, count: int) -> None:
        self.rows[outcome] += count


def writer(place: str, reported: Reported, *, share: float = 1.0, rows: int = 100, seconds: float = 600.0) -> LogWriter:
    return LogWriter(place, share=share, rows=rows, seconds=seconds, on_rows=reported, on_error=reported.errors.append)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_a_window_is_read_whole_across_files_and_days_and_opens_no_other_file(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = str(tmp_path / "log") if kind == "disk" else f"{request.getfixturevalue('s3')}/log"
    times = [NOON + number * HOUR / 2 for number in range(72)]
    for first in range(0, 72, 6):
        write_rows(
            place, [row(each, score=float(times.index(each)), text="never") for each in times[first : first + 6]]
        )

    found = rows(place, NOON + 3 * HOUR, NOON + 20 * HOUR)

    assert found["score"].tolist() == [float(number) for number in range(6, 40)]
    assert list(found.columns) == SCHEMA.names
    assert len(rows(place, NOON - HOUR, NOON)) == 0
    assert len(rows(place, NOON, NOON + 1000 * HOUR)) == 72
    assert len(rows(place, NOON, NOON + 1000 * HOUR, version="b" * 12)) == 0
    if kind == "disk":
        for file in (tmp_path / "log" / "2026-02-01").iterdir():
            file.write_bytes(b"damaged")
        assert len(rows(place, NOON, NOON + 5 * HOUR)) == 10
        with pytest.raises(InputError, match="cannot be read"):
            rows(place, NOON, NOON + 20 * HOUR)


def test_a_file_is_written_when_it_is_full_when_its_time_has_come_and_at_the_end(tmp_path: Path) -> None:
    reported = Reported()
    full, old, rest = tmp_path / "full", tmp_path / "old", tmp_path / "rest"

    one = writer(str(full), reported, rows=5)
    for _ in range(5):
        one.add([row(NOON)], "a" * 12)
    until(lambda: reported.rows["written"] == 5)
    two = writer(str(old), reported, seconds=0.2)
    two.add([row(NOON), row(NOON)], "b" * 12)
    until(lambda: reported.rows["written"] == 7)
    three = writer(str(rest), reported)
    three.add([row(NOON)], "c" * 12)
    three.close(10)

    assert reported.rows == {"written": 8}
    assert [len(list(place.rglob("*"))) for place in (full, old, rest)] == [2, 2, 2]
    (table,) = (pd.read_parquet(file) for file in rest.rglob("*.parquet"))
    assert table["version"].tolist() == ["c" * 12]
    assert abs(table["time"][0] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)


def test_a_random_share_is_kept(tmp_path: Path) -> None:
    reported = Reported()
    log = writer(str(tmp_path), reported, share=0.25, rows=100_000)

    log.add([row(NOON)] * 4_000, "a" * 12)
    log.close(30)

    assert 800 < reported.rows["written"] < 1_200


def test_rows_for_a_place_that_cannot_be_written_are_reported_and_dropped(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    reported = Reported()
    log = writer(str(tmp_path / "file" / "log"), reported, rows=2)

    for _ in range(10):
        log.add([row(NOON)], "a" * 12)
    log.close(30)

    assert reported.rows == {"failed": 10}
    assert len(reported.errors) == 5


def test_a_place_that_never_answers_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = Reported()
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        log = writer("s3://silent/log", reported, rows=1)
        log.add([row(NOON)], "a" * 12)
        connection, _ = silent.accept()  # the write has begun, and will not end
        started = time.monotonic()
        for _ in range(1_000):
            log.add([row(NOON)], "a" * 12)
        log.close(0.2)

        assert time.monotonic() - started < 5
        assert reported.rows == {"dropped": 1_000 - 256}
        connection.close()
    fsspec.get_filesystem_class("s3").clear_instance_cache()
