"""Snapshots: versioned by content, whole or not there, and every byte accounted for."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.storage import Snapshot, create, staged_file, staged_folder, write_snapshot

ROOT = Path(__file__).resolve().parents[3]
ROWS = [{"id": str(n), "text": f"document {n} " * (n % 7), "label": float(n % 6)} for n in range(97)]


def batches(rows: list[dict], cuts: list[int]) -> list[pa.RecordBatch]:
    table = pa.Table.from_pylist(rows)
    edges = [0, *sorted(set(cuts)), len(rows)]
    pieces = [table.slice(start, end - start) for start, end in itertools.pairwise(edges) if end > start]
    return [piece.combine_chunks().to_batches()[0] for piece in pieces]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 96), max_size=6), st.sampled_from([10, 33, 1000]))
def test_the_version_does_not_depend_on_how_rows_arrive(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], rows_per_shard: int
) -> None:
    folder = tmp_path_factory.mktemp("snapshots")

    one = write_snapshot(folder / "a", batches(ROWS, []), provenance={}, rows_per_shard=rows_per_shard)
    two = write_snapshot(folder / "b", batches(ROWS, cuts), provenance={"when": "later"}, rows_per_shard=rows_per_shard)

    assert one.manifest.version == two.manifest.version
    assert [row for batch in two.batches() for row in batch.to_pylist()] == ROWS
    assert sum(shard.rows for shard in two.manifest.shards) == 97
    assert all(shard.rows <= rows_per_shard for shard in two.manifest.shards)


def test_rows_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s", batches(ROWS, [40]), provenance={}, rows_per_shard=13)

    assert snapshot.take([96, 0, 13], "id") == ["96", "0", "13"]
    assert snapshot.take([]) == []


def test_another_row_is_another_version_and_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s", batches(ROWS, []), provenance={})
    changed = write_snapshot(tmp_path / "t", batches([*ROWS[:-1], ROWS[-1] | {"label": 9.0}], []), provenance={})
    assert snapshot.manifest.version != changed.manifest.version

    snapshot.verify()
    shard = tmp_path / "s" / snapshot.manifest.shards[0].name
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"part-00000\.parquet is not what was written"):
        snapshot.verify()


def test_no_rows_other_columns_and_no_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row"):
        write_snapshot(tmp_path / "s", [], provenance={})
    other = pa.RecordBatch.from_pylist([{"text": "x"}])
    with pytest.raises(InputError, match="columns change"):
        write_snapshot(tmp_path / "s", [*batches(ROWS, []), other], provenance={})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no snapshot"):
        Snapshot.open(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Snapshot.open(tmp_path)


WRITER = """
import sys, time
from pathlib import Path
import pyarrow as pa
from assay.storage import write_snapshot
def batches():
    for n in range(100):
        yield pa.RecordBatch.from_pylist([{"text": f"document {n}"}])
        print(n, flush=True)
        time.sleep(0.05)
write_snapshot(Path(sys.argv[1]), batches(), provenance={}, rows_per_shard=3)
"""


def test_a_killed_writer_leaves_nothing_visible(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "snapshot")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if line.strip() == "20":
            writer.send_signal(signal.SIGKILL)
            break
    writer.wait()
    time.sleep(0.05)

    assert not (tmp_path / "snapshot").exists()
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def test_staged_outputs_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_folder(tmp_path / "folder") as folder:
        (folder / "half").write_text("x")
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), staged_file(tmp_path / "file") as file:
        file.write_text("x")
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []

    with staged_folder(tmp_path / "folder") as folder:
        (folder / "a").write_text("1")
    with pytest.raises(InputError, match="exists already"), staged_folder(tmp_path / "folder"):
        pass
    with staged_folder(tmp_path / "folder", replace=True) as folder:
        (folder / "b").write_text("2")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]

    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match="cannot make the folder"), staged_file(tmp_path / "file" / "below"):
        pass


def test_what_a_dead_writer_left_is_removed_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time; from assay.storage import staged_folder\n"
        "with staged_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch(); print('in', flush=True); time.sleep(600)"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "out")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"in\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].wait()
    assert len(list(tmp_path.glob(".out.*.partial"))) == 2

    with staged_folder(tmp_path / "out") as folder:
        (folder / "whole").touch()

    assert len(list(tmp_path.glob(".out.*.partial"))) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]
    writers[1].send_signal(signal.SIGKILL)
    writers[1].wait()


def test_a_folder_that_another_made_meanwhile_stays(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "out", keep=True) as mine:
        (mine / "mine").touch()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]

    with pytest.raises(OSError, match="not empty"), staged_folder(tmp_path / "other") as mine:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "theirs").touch()
    assert not list(tmp_path.glob(".*.partial"))


def test_rows_are_read_by_their_numbers(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s", batches(ROWS, []), provenance={}, rows_per_shard=13)

    for start, stop in [(0, 97), (5, 6), (12, 14), (13, 26), (90, 200), (50, 50)]:
        found = [
            (first + n, row["id"])
            for first, batch in snapshot.rows(start, stop)
            for n, row in enumerate(batch.to_pylist())
        ]
        assert found == [(n, str(n)) for n in range(start, min(stop, 97))]


def test_every_byte_is_on_the_disk_before_its_name_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a loss of power there must be no name without its bytes: fsync of all files comes before the rename."""
    done: list[tuple[str, str]] = []

    def note(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(first: Any, *others: Any, **more: Any) -> Any:
            name = str(Path(f"/proc/self/fd/{first}").readlink() if isinstance(first, int) else first)
            done.append((what, Path(name).name.split(".")[1 if Path(name).name.startswith(".") else 0]))
            return real(first, *others, **more)

        return noted

    for what in ("fsync", "replace", "rename", "link"):
        monkeypatch.setattr(os, what, note(what, getattr(os, what)))

    with staged_file(tmp_path / "file") as file:
        file.write_text("x")
    with staged_folder(tmp_path / "folder") as folder:
        (folder / "below").mkdir()
        (folder / "below" / "a").write_text("1")
    create(str(tmp_path / "entry"), b"1")

    top = tmp_path.name
    assert done[:3] == [("fsync", "file"), ("replace", "file"), ("fsync", top)]
    assert {*done[3:6]} == {("fsync", "below"), ("fsync", "a"), ("fsync", "folder")}
    assert done[6:8] == [("rename", "folder"), ("fsync", top)]
    assert done[8:] == [("fsync", "entry"), ("link", "entry"), ("fsync", top)]
