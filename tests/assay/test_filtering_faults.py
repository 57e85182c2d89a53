"""Scoring and selection as real processes that are killed, run at the same time, run out of disk, or lose their input.

Each attempt is a process forked from one that has imported everything and computed nothing. So an attempt takes as long
as its work.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROWS_PER_PART = "60"
PARTS = ("--rows-per-part", ROWS_PER_PART, "--processes", "1")
"""In one process: it is born with all libraries, and a pool would import them anew after each kill."""
Tree = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """1,350 documents in three JSONL files, each text three times: unchanged, a little longer, and very different."""
    folder = tmp_path_factory.mktemp("corpus")
    for copy in range(3):
        rows = [
            {
                "id": f"{copy}-{row['id']}",
                "text": ["", "It is said: ", "Once more. " * 40][copy] + row["text"],
                "url": row["genre"],
            }
            for row in sample
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{copy}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def scoring(corpus: Path, model: Path, output: Path) -> list[str]:
    return ["score", str(corpus), "--model", str(model), "--output", str(output), *PARTS]


def selecting(corpus: Path, model: Path, scores: Path, output: Path) -> list[str]:
    options = ["--scores", str(scores), "--output", str(output), "--token-budget", "150000"]
    return ["select", str(corpus), "--model", str(model), *options]


def parts(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the visible parts: name -> (inode, time of writing). Each must be complete."""
    found = {}
    for path in folder.glob("*/rows-*.parquet"):
        assert len(pd.read_parquet(path)) > 0
        found[path.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, forker: Any, corpus: Path, tiny_model: Path
) -> tuple[Path, float, float]:
    """Return a folder with `scores` and `selection`, and the seconds that each took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    codes, scored = forker.run(scoring(corpus, tiny_model, folder / "scores"))
    assert codes == [0], forker.said()
    codes, selected = forker.run(selecting(corpus, tiny_model, folder / "scores", folder / "selection"))
    assert codes == [0], forker.said()
    assert len(parts(folder / "scores")) == 23
    assert len(pd.read_parquet(folder / "selection" / "_duplicates.parquet")) > 50
    return folder, scored, selected


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.full)])
def test_a_scoring_killed_again_and_again_ends_with_the_same_bytes(
    kills: int,
    forker: Any,
    corpus: Path,
    tiny_model: Path,
    undisturbed: tuple[Path, float, float],
    tmp_path: Path,
    tree: Tree,
) -> None:
    import random

    folder, seconds, _ = undisturbed
    moments, command, killed = random.Random(kills), scoring(corpus, tiny_model, tmp_path / "scores"), 0
    seen: dict[str, tuple[int, int]] = {}
    while killed < kills:
        # A run that has all parts ends before it can be killed: then the next run gets an empty folder.
        (code,), _ = forker.run(command, kill_after=moments.uniform(0, seconds))
        killed += code == -signal.SIGKILL
        there = parts(tmp_path / "scores")
        assert {name: there[name] for name in seen} == seen, "a part that was there was written again"
        seen = there
        if code == 0:
            assert tree(tmp_path / "scores") == tree(folder / "scores")
            os.rename(tmp_path / "scores", tmp_path / f"done-{len(list(tmp_path.iterdir()))}")  # noqa: PTH104
            seen = {}

    (code,), _ = forker.run(command)

    assert code == 0, forker.said()
    there = parts(tmp_path / "scores")
    assert {name: there[name] for name in seen} == seen
    assert tree(tmp_path / "scores") == tree(folder / "scores")


@pytest.mark.full
@pytest.mark.parametrize("kills", [30])
def test_a_selection_killed_again_and_again_ends_with_the_same_bytes(
    kills: int,
    forker: Any,
    corpus: Path,
    tiny_model: Path,
    undisturbed: tuple[Path, float, float],
    tmp_path: Path,
    tree: Tree,
) -> None:
    import random

    folder, _, seconds = undisturbed
    moments, killed = random.Random(kills), 0
    command = selecting(corpus, tiny_model, folder / "scores", tmp_path / "selection")
    while killed < kills:
        (code,), _ = forker.run(command, kill_after=moments.uniform(0, seconds))
        killed += code == -signal.SIGKILL
        if (tmp_path / "selection").exists():
            assert tree(tmp_path / "selection") == tree(folder / "selection"), "visible, and not complete"
            os.rename(tmp_path / "selection", tmp_path / f"done-{len(list(tmp_path.iterdir()))}")  # noqa: PTH104

    (code,), _ = forker.run(command)

    assert code == 0, forker.said()
    assert tree(tmp_path / "selection") == tree(folder / "selection")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "left by a killed run"


@pytest.mark.full
def test_runs_at_the_same_time_give_the_same_bytes(
    forker: Any, corpus: Path, tiny_model: Path, undisturbed: tuple[Path, float, float], tmp_path: Path, tree: Tree
) -> None:
    folder = undisturbed[0]
    score = scoring(corpus, tiny_model, tmp_path / "scores")
    select = selecting(corpus, tiny_model, tmp_path / "scores", tmp_path / "selection")

    assert forker.run(score, score, score)[0] == [0, 0, 0], forker.said()
    assert forker.run(select, select, select)[0] == [0, 0, 0], forker.said()

    assert tree(tmp_path / "scores") == tree(folder / "scores")
    assert tree(tmp_path / "selection") == tree(folder / "selection")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores", "selection"]


def test_running_again_writes_nothing(
    forker: Any, corpus: Path, tiny_model: Path, undisturbed: tuple[Path, float, float]
) -> None:
    folder = undisturbed[0]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    commands = (
        scoring(corpus, tiny_model, folder / "scores"),
        selecting(corpus, tiny_model, folder / "scores", folder / "selection"),
    )
    for command in commands:
        assert forker.run(command)[0] == [0]

    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.fixture
def small_disk(small_file_system: Callable[[int], Path], undisturbed: tuple[Path, float, float]) -> Path:
    """Return a separate file system with room for the corpus and about half of the scores."""
    pages = 0.0
    for path in undisturbed[0].glob("scores/**/*.*"):
        share = 0.5 if path.name.startswith("rows-") else 1
        pages += share * -(-path.stat().st_size // 4096)
    return small_file_system(int(pages) * 4)


@pytest.mark.full
def test_a_full_disk_is_reported_and_complete_parts_stay(
    small_disk: Path, forker: Any, corpus: Path, tiny_model: Path, undisturbed: tuple[Path, float, float], tree: Tree
) -> None:
    folder = undisturbed[0]
    assert forker.run(scoring(corpus, tiny_model, small_disk / "scores"))[0] == [2]

    last = forker.said().strip().splitlines()[-1]
    assert last.startswith("assay score: cannot write: No space left on device")
    assert last.endswith("Make room or choose another place, and run the same command again")
    complete = tree(folder / "scores")
    there = tree(small_disk / "scores")
    assert 3 < len(there) < len(complete)
    assert all(complete[name] == data for name, data in there.items())

    assert forker.run(selecting(corpus, tiny_model, folder / "scores", small_disk / "selection"))[0] == [2]
    assert "assay select: cannot write: No space left on device" in forker.said().strip().splitlines()[-1]
    assert [path.name for path in small_disk.iterdir()] == ["scores"]

    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert forker.run(scoring(corpus, tiny_model, small_disk / "scores"))[0] == [0]
    assert tree(small_disk / "scores") == complete


@pytest.mark.parametrize("fault", ["is missing", "is not what was written"])
def test_a_missing_or_replaced_input_is_reported_and_nothing_is_half_visible(
    fault: str,
    forker: Any,
    corpus: Path,
    tiny_model: Path,
    undisturbed: tuple[Path, float, float],
    tmp_path: Path,
    tree: Tree,
) -> None:
    import shutil

    shutil.copytree(undisturbed[0] / "scores", tmp_path / "scores")
    (snapshot,) = (tmp_path / "scores" / "corpora").iterdir()
    (shard,) = snapshot.glob("part-*.parquet")
    if fault == "is missing":
        shard.unlink()
    else:  # the same documents with other texts
        table = pd.read_parquet(shard)
        table.assign(text=table["text"].str.upper()).to_parquet(shard, index=False)
    lost = sorted((tmp_path / "scores").glob("*/rows-*.parquet"))[5]
    lost.unlink()

    for command in (
        scoring(snapshot, tiny_model, tmp_path / "scores"),
        selecting(snapshot, tiny_model, undisturbed[0] / "scores", tmp_path / "selection"),
    ):
        assert forker.run(command)[0] == [2]
        last = forker.said().strip().splitlines()[-1]
        assert last.startswith(f"assay {command[0]}: shard {shard.name} {fault}")
        assert str(snapshot) in last
    assert not lost.exists()
    assert not (tmp_path / "selection").exists()

    assert forker.run(scoring(tmp_path / "nothing.parquet", tiny_model, tmp_path / "scores"))[0] == [2]
    assert "no such file or folder" in forker.said().strip().splitlines()[-1]
