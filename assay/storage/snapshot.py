"""A snapshot: documents as Parquet shards with a manifest whose digest is their version.

The manifest is written last: a folder without a manifest is no snapshot. The version covers only the content (schema,
rows, the shards' sha256). So the same documents have the same version, whoever fetched them, when, and with which
release of the code. Their origin is in the manifest as provenance.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.hashing import digest_json
from assay.storage.objects import join, open_binary, read_bytes
from assay.storage.records import only_known_fields, parse_json

MANIFEST = "manifest.json"
ROW_GROUP = 5_000
"""Largest number of rows in a row group. A reader holds one row group in memory."""
TOKEN_ESTIMATE = "estimate: UTF-8 bytes / 4"


@only_known_fields
@dataclass(frozen=True)
class Shard:
    """One Parquet file of a snapshot."""

    name: str
    rows: int
    bytes: int
    sha256: str


@only_known_fields
@dataclass(frozen=True)
class Manifest:
    """The content of a snapshot, and its origin."""

    version: str
    """Digest of `schema`, `rows` and the shards, 64 hex digits."""
    schema: dict[str, str]
    """Column -> Arrow type."""
    rows: int
    tokens: int
    tokenizer: str
    """Name of the tokenizer that counted the tokens, or `TOKEN_ESTIMATE`."""
    shards: tuple[Shard, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    """Sources with revision, and settings. Not part of the version. It has no time, so that the same work gives the
    same bytes."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot on a local disk or in an object store."""

    url: str
    """Path or fsspec URL of its folder."""
    manifest: Manifest

    @classmethod
    def open(cls, place: str | Path) -> "Snapshot":
        """Open the snapshot at a path or fsspec URL. Raise InputError if no complete snapshot exists there."""
        url = str(place)
        where, again = join(url, MANIFEST), "Make the snapshot again"
        try:
            data = read_bytes(where)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"no snapshot: {MANIFEST} is missing", where=url, fix="Make it again; a run that fails leaves none"
            ) from error
        except OSError as error:
            raise InputError(f"the manifest cannot be read: {error!r}", where=where, fix=again) from error
        return cls(url, parse_json(Manifest, data, what="the manifest", where=where, fix=again))

    @property
    def sources(self) -> str:
        """The sources of its documents as the user named them, for messages; its own place if they are unknown."""
        return named_sources(self.manifest.provenance) or self.url

    def verify(self) -> None:
        """Raise InputError if the manifest does not match its version, or a shard's bytes do not match the manifest."""
        if digest_json(content(self.manifest)) != self.manifest.version:
            raise InputError(
                "the manifest is not what was written", where=join(self.url, MANIFEST), fix="Make the snapshot again"
            )
        for shard in self.manifest.shards:
            with suppress(FileNotFoundError), open_binary(join(self.url, shard.name)) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256:
                    continue
            raise InputError(
                f"shard {shard.name} is missing or not what was written",
                where=self.url,
                fix="Make it again",
            )

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, in record batches."""
        for _, batch in self.rows(columns=columns):
            yield batch

    def rows(
        self, start: int = 0, stop: int | None = None, columns: list[str] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the rows from `start` to before `stop`, as pairs of a batch's first row number and the batch.

        Only the row groups that hold them are read, one at a time. Raise InputError with the name of a shard that is
        missing or cannot be read.
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
        try:
            with open_binary(join(self.url, shard.name)) as raw, pq.ParquetFile(raw) as file:
                first = 0
                for group in range(file.num_row_groups):
                    after = first + file.metadata.row_group(group).num_rows
                    if first < stop and after > start:
                        row = first
                        for batch in file.iter_batches(row_groups=[group], columns=columns):
                            low, high = max(start - row, 0), min(stop - row, batch.num_rows)
                            if low < high:
                                yield row + low, batch.slice(low, high - low)
                            row += batch.num_rows
                    first = after
        except (OSError, pa.ArrowException) as error:
            # Also errors of a network: the same command resumes the work.
            raise InputError(
                f"shard {shard.name} cannot be read: {str(error).splitlines()[0]}",
                where=self.url,
                fix="It is gone or damaged: restore it, or make the snapshot again, and run the same command",
            ) from error

    def take(self, rows: Iterable[int], column: str = "text") -> list[Any]:
        """Return the values of one column at the given row numbers, in their order. Only their row groups are read."""
        wanted = [int(row) for row in rows]
        found: dict[int, Any] = {}
        for start, stop in _runs(sorted(set(wanted))):
            for first, batch in self.rows(start, stop, [column]):
                found.update(enumerate(batch.column(0).to_pylist(), start=first))
        return [found[row] for row in wanted]


def content(manifest: Manifest) -> dict[str, Any]:
    """Return the fields that the version covers, as plain JSON values."""
    return {
        "schema": manifest.schema,
        "rows": manifest.rows,
        "tokens": manifest.tokens,
        "tokenizer": manifest.tokenizer,
        "shards": [asdict(shard) for shard in manifest.shards],
    }


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


def named_sources(provenance: dict[str, Any]) -> str:
    """Return the sources of a provenance as the user named them, for messages."""
    return ", ".join(str(source["uri"]) for source in provenance.get("sources", []))
