"""A snapshot: documents as Parquet shards with a manifest whose digest is their version.

The manifest is written last: a folder without a manifest is no snapshot. The version covers only the content (schema,
rows, the shards' sha256). So the same documents have the same version, whoever fetched them, when, and with which
release of the code. Their origin is in the manifest as provenance.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.storage.manifest import Manifest, Shard, named_sources, read_manifest
from assay.storage.referenced import Renamed
from assay.storage.shards import VerifiedShards

ROW_GROUP = 5_000
"""Largest number of rows in a row group. A reader holds one row group in memory."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot on a local disk or in an object store."""

    url: str
    """Path or fsspec URL of its folder."""
    manifest: Manifest
    verified: VerifiedShards = field(default_factory=VerifiedShards, compare=False, repr=False)
    """The shards whose bytes were compared with the manifest since the snapshot was opened."""

    @classmethod
    def open(cls, place: str | Path) -> "Snapshot":
        """Open the snapshot at a path or fsspec URL. Raise InputError if no complete snapshot exists there."""
        url = str(place)
        return cls(url, read_manifest(url))

    @property
    def sources(self) -> str:
        """The sources of its documents as the user named them, for messages; its own place if they are unknown."""
        return named_sources(self.manifest.provenance) or self.url

    def verify(self) -> None:
        """Read every shard. Raise InputError if the bytes of one do not match the manifest.

        Of a file in an object store that is read where it lies, the tag is compared, and no byte is read.
        """
        for shard in self.manifest.shards:
            with self._open(shard, VerifiedShards()):
                pass

    def _open(self, shard: Shard, verified: VerifiedShards) -> AbstractContextManager[pq.ParquetFile]:
        if reference := self.manifest.reference:
            return verified.open(reference.root, shard, None)
        return verified.open(self.url, shard, self.manifest.schema)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, in record batches."""
        for _, batch in self.rows(columns=columns):
            yield batch

    def rows(
        self, start: int = 0, stop: int | None = None, columns: list[str] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the rows from `start` to before `stop`, as pairs of a batch's first row number and the batch.

        Only the row groups that hold them are read, one at a time. The bytes of a shard are compared with the manifest
        before its first row is read, and again if the shard changed since. Raise InputError with the name of a shard
        that is missing, cannot be read, or is not what was written.
        """
        stop = self.manifest.rows if stop is None else min(stop, self.manifest.rows)
        first = 0
        for shard in self.manifest.shards:
            after = first + shard.rows
            if first < stop and after > start:
                for row, batch in self._shard_rows(shard, start - first, stop - first, columns):
                    yield first + row, batch
            first = after

    def _shard_rows(
        self, shard: Shard, start: int, stop: int, columns: list[str] | None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        reference = self.manifest.reference
        renamed = Renamed(reference, self.manifest.schema) if reference else None
        with self._open(shard, self.verified) as file:
            first = 0
            for group in range(file.num_row_groups):
                after = first + file.metadata.row_group(group).num_rows
                if first < stop and after > start:
                    row = first
                    batches = (
                        renamed.rows(file, [group], columns, shard.name)
                        if renamed
                        else file.iter_batches(row_groups=[group], columns=columns)
                    )
                    for batch in batches:
                        if row >= stop:  # a row group of another writer may be large
                            break
                        low, high = max(start - row, 0), min(stop - row, batch.num_rows)
                        if low < high:
                            yield row + low, batch.slice(low, high - low)
                        row += batch.num_rows
                first = after

    def take(self, rows: Iterable[int], column: str = "text") -> list[Any]:
        """Return the values of one column at the given row numbers, in their order. Only their row groups are read."""
        wanted = [int(row) for row in rows]
        found: dict[int, Any] = {}
        for start, stop in _runs(sorted(set(wanted))):
            for first, batch in self.rows(start, stop, [column]):
                found.update(enumerate(batch.column(0).to_pylist(), start=first))
        return [found[row] for row in wanted]


def _runs(rows: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows that are near enough to be read at once. `rows` are in rising order."""
    start = previous = None
    for row in rows:
        if start is None or previous is None:
            start = row
        elif row - previous > ROW_GROUP:  # nearer ones are in the same row group or the next
            yield start, previous + 1
            start = row
        previous = row
    if start is not None and previous is not None:
        yield start, previous + 1
