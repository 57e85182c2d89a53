"""Files that are damaged in part: what can be read comes out, and what cannot is told with its place."""

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
    """What comes out of the column `n`, and what was told."""
    told: list[Damage] = []
    batches = list(files.read_batches(FS, str(path), SCHEMA, damaged=told.append))
    return [n for batch in batches for n in batch["n"].to_pylist()], told


def lines(*broken: int) -> bytes:
    rows = [json.dumps({"text": f"text {n}", "n": n}).encode() for n in range(10)]
    return b"\n".join(b'{"text": ' if n in broken else row for n, row in enumerate(rows)) + b"\n"


def test_lines_that_are_no_json_are_told_and_the_others_come(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(3, 7))

    found, told = read(path)

    assert found == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [damage.place for damage in told] == ["line 4", "line 8"]
    assert files.read_schema(FS, str(path), tolerant=True) == SCHEMA
    with pytest.raises(InputError, match="line 4"):
        files.read_schema(FS, str(path))


def test_a_file_that_is_cut_off_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = b"".join(json.dumps({"text": f"{n * 7919 % 1000}" * 99, "n": n}).encode() + b"\n" for n in range(20_000))
    packed = gzip.compress(rows, mtime=0)
    path.write_bytes(packed[: len(packed) // 2])

    found, told = read(path)

    assert 0 < len(found) < 20_000
    assert found == list(range(len(found)))
    assert len(told) == 1
    assert "on: " in told[0].what or "not valid JSON" in told[0].what
    assert files.read_schema(FS, str(path), tolerant=True) == SCHEMA


def test_rows_of_another_width_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"a",0\n"b",1,extra\n"c"\n"d",3\n', encoding="utf-8")

    found, told = read(path)

    assert found == [0, 3]
    assert [damage.place for damage in told] == ["line 3", "line 4"]
    assert told[0].what == "has 3 cells where there are 2 columns"


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing of use PAR1", b"\0" * 100])
def test_a_file_of_which_nothing_can_be_read_is_one_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)

    found, told = read(path)

    assert found == []
    assert [damage.place for damage in told] == [""]
    assert "parquet file cannot be read" in told[0].what
    assert not files.read_schema(FS, str(path), tolerant=True).names


def test_pages_of_a_parquet_file_that_are_damaged_cost_what_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"text {n}" for n in range(30_000)], "n": range(30_000)})
    pq.write_table(table, path, row_group_size=10_000, compression="zstd", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 200):
        data[at] ^= 0x5A
    path.write_bytes(data)

    found, told = read(path)

    assert len(told) == 1
    assert found == list(range(len(found)))
    assert len(found) >= 10_000
