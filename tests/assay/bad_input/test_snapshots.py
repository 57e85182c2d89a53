"""Snapshots."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.storage import MANIFEST, digest_json
from bad_input.table import RIGHT, SHARD, Bad, Good, below, check_row, refused, rows, write

HOLDERS = ("show", "diff", "verify", "delete")
"""Commands that read a snapshot."""


def snapshot_row(name: str, says: tuple[str, ...], spoil: Callable[[Path], object], *commands: str, **more: Any) -> Bad:
    return Bad(name, says, commands=commands or HOLDERS, spoil=spoil, copies="snapshot", **more)


def edit(path: Path, *, shard: dict[str, Any] | None = None, signed: bool = True, **fields: Any) -> None:
    """Change a manifest. If it is signed, its version is the digest of the new content, as a stranger writes it."""
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8")) | fields
    manifest["shards"][0] |= shard or {}
    covered = {name: value for name, value in manifest.items() if name not in ("version", "provenance")}
    write(path / MANIFEST, json.dumps(manifest | ({"version": digest_json(covered)} if signed else {})))


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
        (f"shard {SHARD} is not what was written", "/snapshot)", "restore it, or make the snapshot again"),
        lambda path: write(path / SHARD, (path / SHARD).read_bytes()[:-50]),
        "verify",
        "delete",
    ),
    snapshot_row(
        "manifest that claims fewer rows",
        ("the manifest is not what was written", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: edit(path, signed=False, rows=2),
        *HOLDERS,
        "score",
        "select",
    ),
    snapshot_row(
        "manifest that claims fewer rows, with its digest",
        ("the manifest counts 2 rows, and its shards do not add up to them", "/snapshot/manifest.json)"),
        lambda path: edit(path, rows=2),
    ),
    snapshot_row(
        "manifest that names a file outside the snapshot",
        ("the manifest names '../../secret.parquet' as a shard", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: edit(path, shard={"name": "../../secret.parquet"}),
        *HOLDERS,
        "score",
        "select",
    ),
    snapshot_row(
        "manifest that states other columns",
        (f"shard {SHARD} has ", "and the manifest states", "/snapshot)", SNAPSHOT_AGAIN),
        lambda path: edit(path, schema={"id": "string", "text": "string", "more": "int64"}),
        "verify",
        "delete",
        "score",
        leaves={"score": "scores"},
    ),
    snapshot_row(
        "manifest without the column of texts",
        ("the manifest has no column `text`", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: edit(path, schema={"id": "string"}),
        "show",
        "score",
    ),
    snapshot_row(
        "manifest whose sources have no names",
        ("does not name its sources", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: edit(path, provenance={"sources": ["a"]}),
        "show",
        "score",
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
