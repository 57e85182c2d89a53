"""Parquet files of the product: a flipped bit is noticed wherever it is, and other programs read them."""

import io
import random
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.storage import open_parquet, parquet_bytes, read_parquet, write_parquet
from assay.storage.parquet import read_seal

ROOT = Path(__file__).resolve().parents[3]


def table(rows: int = 300) -> pa.Table:
    chance = np.random.default_rng(0)
    return pa.table(
        {
            "id": [f"d{n:05d}" for n in range(rows)],
            "score": chance.normal(size=rows),
            "grade": chance.integers(0, 5, rows),
            "keep": chance.random(rows) < 0.5,
            "reason": [None if n % 9 else "empty" for n in range(rows)],
        }
    )


def outcomes(data: bytes, bits: list[int]) -> dict[str, int]:
    """Count what reading gives after each single flip: `refused`, the `same` values, or `other` values."""
    whole, found = table(), {"refused": 0, "same": 0, "other": 0}
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        try:
            file = open_parquet(io.BytesIO(damaged))
            read, note = file.read(), file.metadata.metadata[b"note"]
        except (OSError, pa.ArrowException, KeyError):
            found["refused"] += 1
            continue
        found["same" if read.equals(whole) and note == b"7 rows" else "other"] += 1
    return found


def test_no_flipped_bit_gives_other_values() -> None:
    data = parquet_bytes(table(), {b"note": "7 rows"})
    chosen = random.Random(0).sample(range(8 * len(data)), 1_000)

    found = outcomes(data, chosen)

    assert found["other"] == 0
    assert found["refused"] > 800, (
        "the others are the seal's name, and what no reader uses, such as a page's statistics"
    )


@pytest.mark.full
def test_no_flipped_bit_of_the_whole_file_gives_other_values() -> None:
    data = parquet_bytes(table(), {b"note": "7 rows"})

    found = outcomes(data, list(range(8 * len(data))))

    assert found["other"] == 0
    assert found["refused"] > 0.8 * sum(found.values())


def test_equal_tables_give_equal_bytes_that_every_reader_reads(tmp_path: Path) -> None:
    write_parquet(table(), tmp_path / "a.parquet")
    write_parquet(table(), tmp_path / "b.parquet")

    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pq.read_table(tmp_path / "a.parquet").equals(table())
    assert read_parquet(str(tmp_path / "a.parquet")).equals(table())
    assert read_parquet(str(tmp_path / "a.parquet"), ["grade"]).column_names == ["grade"]
    with pytest.raises(pa.ArrowInvalid, match="no column nothing"):
        read_parquet(str(tmp_path / "a.parquet"), ["grade", "nothing"])
    with pytest.raises(FileNotFoundError):
        read_parquet(str(tmp_path / "none.parquet"))


def test_files_of_other_programs_have_no_seal_and_are_read(tmp_path: Path) -> None:
    pq.write_table(table().replace_schema_metadata({"assay.seal": "a name of somebody else"}), tmp_path / "a.parquet")

    with (tmp_path / "a.parquet").open("rb") as file:
        assert not read_seal(file)
        assert open_parquet(file).read().equals(table())
    with pytest.raises(pa.ArrowInvalid, match="too short"):
        open_parquet(io.BytesIO(b"PAR1"))


def test_only_storage_writes_parquet_and_only_readers_of_foreign_files_read_it_otherwise() -> None:
    """A file that is written elsewhere would have no checksums, and one that is read elsewhere would not be checked."""
    past = re.compile(r"import pyarrow\.parquet|pd\.read_parquet|\.to_parquet\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("assay", "tasks", "workflows")
        for path in (ROOT / folder).rglob("*.py")
        if past.search(path.read_text(encoding="utf-8"))
    }

    assert found == {
        "assay/sources/files.py",
        "assay/storage/parquet.py",
        "assay/storage/referenced.py",
        "assay/storage/shards.py",
        "assay/storage/snapshot.py",
        "assay/storage/snapshot_writer.py",
    }
