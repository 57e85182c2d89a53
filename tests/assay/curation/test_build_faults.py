"""Builds as real processes that are killed, run at the same time, or run out of disk."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = 12


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """600 documents in twelve files, a quarter of them twice."""
    folder = tmp_path_factory.mktemp("source")
    rows = [{"id": row["id"], "text": row["text"]} for row in sample]
    rows += [{"id": f"copy-{row['id']}", "text": row["text"] + " Once more."} for row in rows[:150]]
    for number in range(FILES):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[number::FILES])
        (folder / f"{number:02d}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def building(source: Path, folder: Path, processes: int = 1) -> list[str]:
    places = ["--output", str(folder / "snapshot"), "--pieces", str(folder / "pieces")]
    return ["snapshot", "build", str(source), *places, "--preset", "none", "--processes", str(processes)]


def pieces(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the visible pieces and pairs: name -> (inode, time of writing). Each must be complete."""
    found = {}
    for path in folder.glob("*/p*.parquet"):
        pq.read_table(path)
        found[path.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, forker: Any, source: Path) -> tuple[Path, float]:
    """Return a folder with `snapshot` and `pieces`, and the seconds that the build took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    codes, seconds = forker.run(building(source, folder))
    assert codes == [0], forker.said()
    assert len(pieces(folder / "pieces")) == FILES + 33
    assert pq.read_metadata(folder / "snapshot" / "_clusters.parquet").num_rows >= 300
    return folder, seconds


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.full)])
def test_a_build_killed_again_and_again_ends_with_the_same_bytes(
    kills: int, forker: Any, source: Path, undisturbed: tuple[Path, float], tmp_path: Path, tree: Callable
) -> None:
    folder, seconds = undisturbed
    moments, killed = random.Random(kills), 0
    seen: dict[str, tuple[int, int]] = {}

    def look(work: Path) -> None:
        nonlocal seen
        there = pieces(work / "pieces")
        assert {name: there[name] for name in seen} == seen, "a piece that was there was written again"
        seen = there
        if (work / "snapshot").exists():
            assert tree(work / "snapshot") == tree(folder / "snapshot"), "visible, and not complete"

    work = tmp_path / "0"
    while killed < kills:
        (code,), _ = forker.run(building(source, work), kill_after=moments.uniform(0, seconds))
        killed += code == -signal.SIGKILL
        look(work)
        if code == 0:  # a finished build cannot be killed any more: start with an empty folder
            assert tree(work) == tree(folder)
            work, seen = tmp_path / str(killed), {}

    (code,), _ = forker.run(building(source, work))

    assert code == 0, forker.said()
    look(work)
    assert tree(work) == tree(folder)


@pytest.mark.full
def test_builds_at_the_same_time_give_the_same_bytes(
    forker: Any, source: Path, undisturbed: tuple[Path, float], tmp_path: Path, tree: Callable
) -> None:
    command = building(source, tmp_path / "work")
    assert forker.run(command, command, command)[0] == [0, 0, 0], forker.said()
    assert tree(tmp_path / "work") == tree(undisturbed[0])


def children(pid: int) -> set[int]:
    """Return all processes below one."""
    below = {int(line) for path in Path(f"/proc/{pid}/task").glob("*/children") for line in path.read_text().split()}
    return below.union(*map(children, below))


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.full
def test_the_processes_of_a_killed_build_end_too_and_a_killed_process_is_reported(
    shared_pages: Path, tmp_path: Path
) -> None:
    """With web pages: each process that cleans has a process below it that extracts."""
    command = [sys.executable, "-m", "assay", *building(shared_pages, tmp_path, processes=2)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def started() -> tuple[subprocess.Popen, set[int]]:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while len(below := children(process.pid)) < 5 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        return process, below  # two that clean, two that extract, and the tracker of resources

    process, below = started()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(map(alive, below)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in below if alive(pid)]

    process, below = started()
    cleaning = [pid for pid in below if children(pid)]
    os.kill(cleaning[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2, said
    assert said.strip().splitlines()[-1].startswith("assay snapshot: a process that made pieces died")
    assert not (tmp_path / "snapshot").exists()


@pytest.fixture(scope="module")
def shared_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 web pages in three pieces, each slow enough to be interrupted."""
    folder = tmp_path_factory.mktemp("pages")
    for number in range(600):
        paragraphs = "".join(f"<p>Paragraph {number}.{n} is about nothing but itself.</p>" for n in range(150))
        (folder / f"{number:03d}.html").write_text(f"<article>{paragraphs}</article>", encoding="utf-8")
    return folder


@pytest.fixture
def small_disk(small_file_system: Callable[[int], Path], undisturbed: tuple[Path, float]) -> Path:
    """Return a separate file system with room for about half of the pieces."""
    pages = sum(-(-path.stat().st_size // 4096) for path in undisturbed[0].glob("pieces/*/piece-*.parquet"))
    return small_file_system(pages // 2 * 4)


@pytest.mark.full
def test_a_full_disk_is_reported_and_complete_pieces_stay(
    small_disk: Path, forker: Any, source: Path, undisturbed: tuple[Path, float], tree: Callable
) -> None:
    complete = tree(undisturbed[0])
    for processes in (1, 2):
        assert forker.run(building(source, small_disk, processes))[0] == [2]
        last = forker.said().strip().splitlines()[-1]
        assert last.startswith("assay snapshot: cannot write: No space left on device")
        assert last.endswith("Make room or choose another place, and run the same command again")
        there = tree(small_disk)
        assert 1 < len(there) < len(complete)
        assert all(complete[name] == data for name, data in there.items())

    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert forker.run(building(source, small_disk))[0] == [0]
    assert tree(small_disk) == complete
