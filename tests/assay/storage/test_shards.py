"""Shards are compared with the manifest before their rows are used, once, and again when they change."""

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import InputError
from assay.storage import Snapshot, join, open_binary, write_snapshot
from assay.storage import shards as shards_module

OTHER = "is not what was written"


def make(place: Path | str, word: str) -> Snapshot:
    """Write 60 documents in three shards. Each word gives other texts, and files of about the same size."""
    rows = [{"id": f"d{n:02d}", "text": f"{word} {n:02d}"} for n in range(60)]
    return write_snapshot(place, pa.Table.from_pylist(rows).to_batches(), provenance={}, rows_per_shard=20)


def texts(snapshot: Snapshot, start: int = 0, stop: int | None = None) -> list[str]:
    return [text for _, batch in snapshot.rows(start, stop, ["text"]) for text in batch["text"].to_pylist()]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each shard that was hashed."""
    found: list[int] = []
    real = shards_module._sha256

    def counting(file: Any, copy: Any) -> str:
        found.append(1)
        return real(file, copy)

    monkeypatch.setattr(shards_module, "_sha256", counting)
    return found


def test_a_shard_is_hashed_once_for_many_reads(tmp_path: Path, hashed: list[int]) -> None:
    snapshot = make(tmp_path / "s", "gold")

    for start in range(0, 60, 5):
        assert len(texts(snapshot, start, start + 5)) == 5
    assert len(hashed) == 3
    assert snapshot.take([1, 30, 59]) == ["gold 01", "gold 30", "gold 59"]
    assert len(hashed) == 3
    assert texts(Snapshot.open(tmp_path / "s"), 0, 5) == [f"gold {n:02d}" for n in range(5)]
    assert len(hashed) == 4, "another opening trusts nothing that an earlier one saw"


@pytest.mark.parametrize("how", ["renamed over", "written over"])
def test_a_shard_that_is_replaced_in_the_middle_of_the_work_is_refused(tmp_path: Path, how: str) -> None:
    snapshot, other = make(tmp_path / "s", "gold"), make(tmp_path / "t", "lead")
    name = snapshot.manifest.shards[1].name
    assert texts(snapshot)[20] == "gold 20"

    if how == "renamed over":
        (tmp_path / "t" / name).replace(tmp_path / "s" / name)
    else:
        data = (tmp_path / "t" / name).read_bytes()
        with (tmp_path / "s" / name).open("r+b") as file:
            file.write(data)
            file.truncate()

    assert texts(snapshot, 0, 20)[0] == "gold 00", "the other shards are read"
    with pytest.raises(InputError, match=f"shard {name} {OTHER}"):
        texts(snapshot, 35, 36)
    with pytest.raises(InputError, match=f"shard {name} {OTHER}"):
        Snapshot.open(tmp_path / "s").verify()
    assert other.manifest.shards[1].rows == snapshot.manifest.shards[1].rows


def test_a_shard_that_changes_while_it_is_read_is_refused_at_its_end(tmp_path: Path) -> None:
    snapshot = make(tmp_path / "s", "gold")
    rows = snapshot.rows(0, 20)
    next(rows)

    os.utime(tmp_path / "s" / snapshot.manifest.shards[0].name, ns=(1, 1))

    with pytest.raises(InputError, match=OTHER):
        list(rows)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    snapshot = make(tmp_path / "s", "gold")
    (tmp_path / "s" / snapshot.manifest.shards[2].name).unlink()

    assert len(texts(snapshot, 0, 40)) == 40
    with pytest.raises(InputError, match=r"shard part-00002\.parquet is missing"):
        texts(snapshot)


@pytest.mark.parametrize("store", ["s3", "gs"])
def test_in_an_object_store_a_shard_is_read_once_and_checked_again_when_it_changes(
    store: str, request: pytest.FixtureRequest, tmp_path: Path, hashed: list[int]
) -> None:
    url = join(request.getfixturevalue(store), "shards", tmp_path.name)
    snapshot, other = make(join(url, "s"), "gold"), make(tmp_path / "t", "lead")
    name = snapshot.manifest.shards[1].name

    assert texts(snapshot, 0, 40) == [f"gold {n:02d}" for n in range(40)]
    assert texts(snapshot, 10, 12) == ["gold 10", "gold 11"]
    assert len(hashed) == 2
    put(tmp_path / "t" / name, join(url, "s", name))

    with pytest.raises(InputError, match=f"shard {name} {OTHER}"):
        texts(snapshot, 20, 25)
    assert other.manifest.version != snapshot.manifest.version


def put(file: Path, url: str) -> None:
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    fs.put_file(str(file), path)


def test_a_link_to_the_same_bytes_is_a_shard(tmp_path: Path) -> None:
    # Tools that version data keep files in a cache and put links into the folder.
    snapshot = make(tmp_path / "s", "gold")
    name = snapshot.manifest.shards[0].name
    shutil.move(tmp_path / "s" / name, tmp_path / "cached")
    (tmp_path / "s" / name).symlink_to(tmp_path / "cached")

    snapshot.verify()
    with open_binary(join(str(tmp_path), "s", name)) as file:
        assert file.read(4) == b"PAR1"
