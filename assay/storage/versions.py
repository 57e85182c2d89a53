"""The difference of two snapshots, and a snapshot without some of its documents."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.errors import InputError
from assay.progress import counter
from assay.storage.manifest import TOKEN_ESTIMATE
from assay.storage.snapshot import Snapshot
from assay.storage.snapshot_writer import write_snapshot

EXAMPLES = 5
"""Ids that are shown for each kind of change."""


@dataclass(frozen=True)
class Change:
    """Documents of one kind of change."""

    documents: int
    examples: tuple[str, ...]
    """Ids of the first documents, in the order of their snapshot."""


@dataclass(frozen=True)
class Difference:
    """The difference from one snapshot to another.

    The id identifies a document. Its content is the rest of its row.
    """

    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_changed: Mapping[str, tuple[str, str]]
    """Column -> its type before and after."""
    added: Change
    removed: Change
    changed: Change
    """Documents with the same id and other content, in the columns that both snapshots have."""
    same: int

    @property
    def none(self) -> bool:
        """True if both hold the same documents with the same columns."""
        columns = self.columns_added or self.columns_removed or self.columns_changed
        return not columns and not (self.added.documents or self.removed.documents or self.changed.documents)


def difference(old: Snapshot, new: Snapshot) -> Difference:
    """Compare two snapshots document by document, in any order of rows.

    Both are read to the end, with 40 bytes of memory a document. If an id occurs several times, its rows are matched by
    content first. Raise InputError if a snapshot has no ids, or if a shard cannot be read.
    """
    before, after = old.manifest.schema, new.manifest.schema
    for snapshot, schema in ((old, before), (new, after)):
        if "id" not in schema:
            raise InputError(
                "its documents have no ids to compare by", where=snapshot.url, fix="Build a snapshot with a column `id`"
            )
    both = [name for name in before if name in after]
    a, b = (_fingerprints(snapshot, both) for snapshot in (old, new))
    gone, come = _unmatched(a, b)
    left = _unmatched(a[gone, :1], b[come, :1])
    removed, added = gone[left[0]], come[left[1]]
    changed = np.setdiff1d(come, added)
    return Difference(
        columns_added=tuple(name for name in after if name not in before),
        columns_removed=tuple(name for name in before if name not in after),
        columns_changed={name: (before[name], after[name]) for name in both if before[name] != after[name]},
        added=_change(new, added),
        removed=_change(old, removed),
        changed=_change(new, changed),
        same=len(b) - len(come),
    )


def _change(snapshot: Snapshot, rows: NDArray[np.int64]) -> Change:
    first = np.sort(rows)[:EXAMPLES].tolist()
    return Change(len(rows), tuple(str(name) for name in snapshot.take(first, "id")))


def _fingerprints(snapshot: Snapshot, columns: Sequence[str]) -> NDArray[np.uint64]:
    """Return hashes of each document's id and content, shape (rows, 2)."""
    found = np.empty((snapshot.manifest.rows, 2), np.uint64)
    others = [name for name in columns if name != "id"]
    with counter(unit=" documents", what="compare", total=len(found)) as shown:
        for first, batch in snapshot.rows(columns=list(columns)):
            rows = zip(batch["id"].to_pylist(), *(batch[name].to_pylist() for name in others), strict=True)
            for row, (name, *content) in enumerate(rows, start=first):
                found[row] = _hash(name), _hash(content)
            shown.update(batch.num_rows)
    return found


def _hash(value: Any) -> int:
    data = repr(value).encode("utf-8", "surrogatepass")
    # With 64 bits, any two of 10^8 documents collide with a probability of 3 in 10,000 (n² / 2^65).
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _unmatched(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of each that have no equal row in the other, rising. A row is matched with at most one."""
    every = np.concatenate([a, b])
    side = np.append(np.zeros(len(a), np.int8), np.ones(len(b), np.int8))
    # Sorted by content, then by side: equal rows are neighbours, rows of `a` first.
    order = np.lexsort((side, *every.T))
    starts = np.append(True, (every[order][1:] != every[order][:-1]).any(axis=1)) if len(order) else order.astype(bool)
    group = np.cumsum(starts) - 1
    of_a = np.bincount(group, side[order] == 0).astype(np.int64)
    of_b = np.bincount(group, side[order] == 1).astype(np.int64)
    place = np.arange(len(order)) - np.flatnonzero(starts)[group]
    rank = np.where(side[order] == 0, place, place - of_a[group])
    alone = order[rank >= np.minimum(of_a, of_b)[group]]
    return np.sort(alone[alone < len(a)]), np.sort(alone[alone >= len(a)]) - len(a)


def without(snapshot: Snapshot, ids: Set[str], place: str | Path) -> Snapshot:
    """Write a copy of a snapshot at a new place, without the documents with these ids.

    Raise InputError if the snapshot has no ids, if it has none of these, or if nothing would be left; then nothing is
    written.
    """
    if "id" not in snapshot.manifest.schema:
        raise InputError(
            "its documents have no ids to delete by", where=snapshot.url, fix="Build a snapshot with a column `id`"
        )
    unwanted = pa.array(sorted(ids), pa.string())
    found: set[str] = set()
    left = 0
    for batch in snapshot.batches(["id"]):
        hit = pc.is_in(batch["id"], unwanted)
        found.update(batch["id"].filter(hit).to_pylist())
        left += batch.num_rows - (pc.sum(hit).as_py() or 0)
    if not found:
        raise InputError(
            f"none of the {len(ids):,} ids is in this snapshot", where=snapshot.url, fix="Give ids of its column `id`"
        )
    if not left:
        raise InputError("there is no row left without these ids", where=snapshot.url, fix="Remove the whole snapshot")

    def rest() -> Iterator[pa.RecordBatch]:
        with counter(unit=" documents", what="delete", total=snapshot.manifest.rows) as shown:
            for batch in snapshot.batches():
                # A row without an id is kept: `is_in` gives null for it, and null would drop it.
                yield batch.filter(pc.invert(pc.fill_null(pc.is_in(batch["id"], unwanted), False)))
                shown.update(batch.num_rows)

    manifest = snapshot.manifest
    # Counted tokens are a column and are summed again; estimated ones follow from the bytes of the text.
    counted = "tokens" in manifest.schema and manifest.tokenizer != TOKEN_ESTIMATE
    return write_snapshot(
        place,
        rest(),
        provenance={**manifest.provenance, "deleted": {"from": manifest.version, "ids": len(found)}},
        tokens=("tokens", manifest.tokenizer) if counted else None,
    )
