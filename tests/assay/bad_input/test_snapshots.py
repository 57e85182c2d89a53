"""Snapshots."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_input.table import RIGHT, SHARD, Bad, Good, below, check_row, refused, rows, write

HOLDERS = ("show", "diff", "verify", "delete")
"""Commands that read a snapshot."""


def snapshot_row(name: str, says: tuple[str, ...], spoil: Callable[[Path], object], *commands: str, **more: Any) -> Bad:
    return Bad(name, says, commands=commands or HOLDERS, spoil=spoil, copies="snapshot", **more)


SNAPSHOT_AGAIN = "Make the snapshot again"
SNAPSHOTS = [
    snapshot_row(
        "missing snapshot",
        ("no snapshot: manifest.json is missing", "/snapshot)", "Make it again"),
        lambda path: shutil.rmtree(path),
    ),
    snapshot_row(
        "folder that is no snapshot",
        ("no snapshot: manifest.json is missing", "/snapshot)", "Make it again"),
        lambda path: (path / "manifest.json").unlink(),
    ),
    snapshot_row(
        "empty manifest",
        ("the manifest cannot be read", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", ""),
        *HOLDERS,
        "score",
        "select",
    ),
    snapshot_row(
        "manifest of another program",
        ("the manifest cannot be read: version: field required", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", "{}"),
    ),
    snapshot_row(
        "manifest that is no UTF-8",
        ("the manifest cannot be read: 'utf-8' codec can't decode", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", b"{\xff"),
    ),
    snapshot_row(
        "corrupt Parquet footer of a shard",
        (f"shard {SHARD} cannot be read", "/snapshot)", "restore it, or make the snapshot again"),
        lambda path: write(path / SHARD, (path / SHARD).read_bytes()[:-50]),
        "verify",
        "delete",
        says_for={"verify": (f"shard {SHARD} is missing or not what was written", "/snapshot)", "Make it again")},
    ),
    snapshot_row(
        "no permission for the manifest",
        ("this may not be read", "/snapshot/manifest.json)", RIGHT),
        lambda path: (path / "manifest.json").chmod(0),
        powerless=True,
    ),
    snapshot_row(
        "no permission for a shard",
        ("this may not be read", f"/snapshot/{SHARD})", RIGHT),
        lambda path: (path / SHARD).chmod(0),
        "verify",
        "delete",
        powerless=True,
    ),
]


@rows(SNAPSHOTS)
def test_a_snapshot_that_cannot_be_used_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)


def test_deleting_every_document_is_refused(good: Good, forker: Any, tmp_path: Path) -> None:
    write(tmp_path / "ids", "\n".join(row["id"] for row in good.rows))

    command = [*good.command("delete", tmp_path), "--ids", str(tmp_path / "ids")]
    refused(forker, command, ("there is no row left", f"({good.snapshot})", "Remove the whole snapshot"))

    assert below(tmp_path) == {"ids"}
