"""Outputs that cannot be written: places, permissions and space."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bad_input.table import Bad, Good, below, check_row, refused, rows, setting

PIECES = {"build": "pieces"}
PLACE_ELSE = "Choose another place for the output"
PLACE = "Make room or choose another place, and run the same command again"
BELOW_A_FILE = [
    setting(
        "output below a file", name, f"--output {{labels}}/x{end}", *("cannot make the folder /", PLACE_ELSE), **more
    )
    for name, end, more in [
        *((name, "", {}) for name in ("train", "score", "select", "delete")),
        *((name, ".json", {}) for name in ("evaluate", "compare", "challenge")),
        ("state", ".html", {}),
        ("build", "", {"leaves": PIECES}),
    ]
]


@rows(BELOW_A_FILE)
def test_an_output_below_a_file_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)


@pytest.mark.parametrize("command", ["train", "evaluate", "score", "select", "build", "delete"])
def test_an_output_that_may_not_be_written_is_refused(command: str, good: Good, forker: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)

    refused(forker, good.command(command, out), ("cannot write: Permission denied", f"({out}/", PLACE), powerless=True)

    assert not below(out)


@pytest.fixture(scope="module")
def full_disk(small_file_system: Callable[[int], Path]) -> Path:
    """A file system of its own, with a file that fills it."""
    disk = small_file_system(64)
    (disk / "filler").write_bytes(b"x" * 2**16)
    return disk


@pytest.mark.parametrize("command", ["train", "evaluate", "score", "select", "build", "delete"])
def test_a_disk_without_space_says_so_and_nothing_is_half_written(
    command: str, good: Good, forker: Any, full_disk: Path
) -> None:
    says = ("cannot write: No space left on device", f"({full_disk}/", PLACE)

    refused(forker, good.command(command, full_disk), says)

    assert below(full_disk) == {"filler"}


@pytest.mark.parametrize("kilobytes", [200, 600, *(pytest.param(size, marks=pytest.mark.full) for size in (64, 300))])
def test_a_temporary_folder_that_fills_while_a_model_is_trained_says_so(
    kilobytes: int, good: Good, forker: Any, full_disk: Path, tmp_path: Path
) -> None:
    """Where it fills differs: in the snapshot, in the weights, in the tokenizer, in the copy that is calibrated."""
    (full_disk / "filler").unlink()
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(full_disk)], check=True)
    try:
        says = ("cannot write: No space left on device", f"({full_disk}/", PLACE)
        refused(forker, good.command("train", tmp_path / "out"), says, environment={"TMPDIR": str(full_disk)})
        assert not below(full_disk)
        assert not (tmp_path / "out" / "model").exists()
    finally:
        subprocess.run(["mount", "-o", "remount,size=64k", str(full_disk)], check=True)
        (full_disk / "filler").write_bytes(b"x" * 2**16)
