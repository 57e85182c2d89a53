"""Partly damaged files: all readable rows are returned, and each damaged place is reported."""

import gzip
import json
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import InputError
from assay.sources import files
from assay.sources.damage import Damage

FS = fsspec.filesystem("file")
SCHEMA = pa.schema({"text": pa.string(), "n": pa.int64()})


def read(path: Path) -> tuple[list[int], list[Damage]]:
    """Return the column `n` of the readable rows, and the damage that was reported."""
    reported: list[Damage] = []
    batches = list(files.read_batches(FS, str(path), SCHEMA, on_damage=reported.append))
    return [n for batch in batches for n in batch["n"].to_pylist()], reported


def lines(*broken: int) -> bytes:
    rows = [json.dumps({"text": f"text {n}", "n": n}).encode() for n in range(10)]
    return b"\n".join(b'{"text": ' if n in broken else row for n, row in enumerate(rows)) + b"\n"


def test_lines_of_invalid_json_are_reported_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(3, 7))

    found, reported = read(path)

    assert found == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [damage.place for damage in reported] == ["line 4", "line 8"]
    assert files.read_schema(FS, str(path), on_damage=lambda _: None) == SCHEMA
    with pytest.raises(InputError, match="line 4"):
        files.read_schema(FS, str(path))


def test_a_truncated_file_gives_the_rows_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = b"".join(json.dumps({"text": f"{n * 7919 % 1000}" * 99, "n": n}).encode() + b"\n" for n in range(20_000))
    packed = gzip.compress(rows, mtime=0)
    path.write_bytes(packed[: len(packed) // 2])

    found, reported = read(path)

    assert 0 < len(found) < 20_000
    assert found == list(range(len(found)))
    assert len(reported) == 1
    assert "on: " in reported[0].what or "not valid JSON" in reported[0].what
    assert files.read_schema(FS, str(path), on_damage=lambda _: None) == SCHEMA


def test_rows_of_another_width_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"a",0\n"b",1,extra\n"c"\n"d",3\n', encoding="utf-8")

    found, reported = read(path)

    assert found == [0, 3]
    assert [damage.place for damage in reported] == ["line 3", "line 4"]
    assert reported[0].what == "has 3 cells instead of 2"


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing of use PAR1", b"\0" * 100])
def test_an_unreadable_file_is_one_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)

    found, reported = read(path)

    assert found == []
    assert [damage.place for damage in reported] == [""]
    assert "parquet file cannot be read" in reported[0].what
    assert not files.read_schema(FS, str(path), on_damage=lambda _: None).names


def test_a_damaged_parquet_page_costs_the_rows_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"text {n}" for n in range(30_000)], "n": range(30_000)})
    pq.write_table(table, path, row_group_size=10_000, compression="zstd", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 200):
        data[at] ^= 0x5A
    path.write_bytes(data)

    found, reported = read(path)

    assert len(reported) == 1
    assert found == list(range(len(found)))
    assert len(found) >= 10_000
