"""A snapshot: documents as Parquet shards under a manifest whose digest is their version.

The manifest is written last: a folder without one is no snapshot. The version covers the content only
(schema, rows, the shards' sha256), so the same documents have the same version whoever fetched them, when,
and with which release of the code; where they came from stands beside it as provenance.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.hashing import digest_file, digest_json
from assay.storage.objects import exists, join, open_binary, published_folder, read_bytes

MANIFEST = "manifest.json"
ROW_GROUP = 5_000
"""Rows in a row group at most,"""
GROUP_BYTES = 64 * 2**20
"""and bytes of text, above which the next document opens another one: a group is what memory holds."""
TOKEN_ESTIMATE = "estimate: UTF-8 bytes / 4"


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a snapshot."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds, and where it came from."""

    version: str
    """Digest of `schema`, `rows` and the shards, 64 hex digits."""
    schema: dict[str, str]
    """Column -> Arrow type."""
    rows: int
    tokens: int
    tokenizer: str
    """What counted the tokens; an estimate says so."""
    shards: tuple[Shard, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    """Sources with revision, settings; not part of the version. No time: the same work gives the same bytes."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot on a local disk or in an object store."""

    url: str
    manifest: Manifest

    @classmethod
    def open(cls, place: str | Path) -> "Snapshot":
        """By path or fsspec URL. Raises InputError where there is no complete snapshot."""
        url = str(place)
        try:
            fields = json.loads(read_bytes(join(url, MANIFEST)))
            shards = tuple(Shard(**shard) for shard in fields.pop("shards"))
            return cls(url, Manifest(shards=shards, **fields))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"no snapshot: {MANIFEST} is missing",
                where=url,
                fix="Make it again; a broken run leaves none",
            ) from error
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"the manifest cannot be read: {error!r}", where=join(url, MANIFEST), fix="Make the snapshot again"
            ) from error

    @property
    def sources(self) -> str:
        """For messages: where its documents came from, as the user named it; its own place where that is not known."""
        return _named(self.manifest.provenance) or self.url

    def verify(self) -> None:
        """Raises InputError for a manifest that is not what its version says, and naming the first shard whose bytes
        are not those of the manifest."""
        if digest_json(_content(self.manifest)) != self.manifest.version:
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
        """The rows in order, in record batches."""
        for _, batch in self.rows(columns=columns):
            yield batch

    def rows(
        self, start: int = 0, stop: int | None = None, columns: list[str] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows from `start` to before `stop`, as pairs of a batch's first row number and the batch.

        Reads only the row groups that hold them; one is in memory at a time. Raises InputError naming the shard
        that is missing or cannot be read.
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
            # Also a network's errors: the same command takes up the work where it was.
            raise InputError(
                f"shard {shard.name} cannot be read: {str(error).splitlines()[0]}",
                where=self.url,
                fix="It is gone or damaged: restore it, or make the snapshot again, and run the same command",
            ) from error

    def take(self, rows: Iterable[int], column: str = "text") -> list[Any]:
        """Values of one column at the given row numbers, in their order; only row groups that hold them are read."""
        wanted = [int(row) for row in rows]
        found: dict[int, Any] = {}
        for start, stop in _runs(sorted(set(wanted))):
            for first, batch in self.rows(start, stop, [column]):
                found.update(enumerate(batch.column(0).to_pylist(), start=first))
        return [found[row] for row in wanted]


def _content(manifest: Manifest) -> dict[str, Any]:
    """What the version covers."""
    return {
        "schema": manifest.schema,
        "rows": manifest.rows,
        "tokens": manifest.tokens,
        "tokenizer": manifest.tokenizer,
        "shards": [asdict(shard) for shard in manifest.shards],
    }


def _runs(rows: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges of rows that lie so near each other that one reading serves them; `rows` in rising order."""
    start = previous = None
    for row in rows:
        if start is None or previous is None:
            start = row
        elif row - previous > ROW_GROUP:
            yield start, previous + 1
            start = row
        previous = row
    if start is not None and previous is not None:
        yield start, previous + 1


def write_snapshot(
    place: str | Path,
    batches: Iterable[pa.RecordBatch],
    *,
    provenance: dict[str, Any],
    tokens: tuple[str, str] | None = None,
    rows_per_shard: int = 100_000,
    shard_bytes: int | None = None,
    replace: bool = False,
    keep: bool = False,
    finish: Callable[[Snapshot], None] | None = None,
) -> Snapshot:
    """Write record batches of one schema, with a `text` column, as a snapshot at a path or fsspec URL.

    `tokens`: the column that holds every document's tokens, and the name of what counted them; an estimate without.
    A shard ends at `rows_per_shard`, or with the row group that takes its file to `shard_bytes`: a quarter beyond it at
    most, if not for one document.
    `finish` may add files beside the shards before the snapshot appears; it is given the snapshot in its hidden
    place. `replace`, `keep`: as in `published_folder`. Raises InputError where there is no row, or a batch has
    another schema than the first; then nothing is left.
    """
    sources = _named(provenance)
    column, tokenizer = tokens or ("", TOKEN_ESTIMATE)
    with published_folder(str(place), last=MANIFEST, replace=replace, keep=keep) as folder:
        shards: list[Shard] = []
        schema: pa.Schema | None = None
        writer: pq.ParquetWriter | None = None
        file = folder
        counted = rows = 0

        def close() -> None:
            nonlocal writer, rows
            if writer is not None:
                writer.close()
                shards.append(Shard(file.name, rows, file.stat().st_size, digest_file(file)))
            writer, rows = None, 0

        held = _Held(
            _checked(batches, sources), min(GROUP_BYTES, max(1, shard_bytes // 4)) if shard_bytes else GROUP_BYTES
        )
        while (group := held.take(rows_per_shard - rows)) is not None:
            schema = schema or group.schema
            if writer is None:
                file = folder / f"part-{len(shards):05d}.parquet"
                writer = pq.ParquetWriter(file, schema, compression="zstd")
            writer.write_table(group)
            rows += group.num_rows
            counted += pc.sum(group[column] if column else pc.binary_length(group["text"])).as_py() or 0
            if rows == rows_per_shard or (shard_bytes and file.stat().st_size >= shard_bytes):
                close()
        close()
        if schema is None:
            raise InputError("there is no row in it", where=sources, fix="Give at least one document")

        unnamed = Manifest(
            version="",
            schema={column.name: str(column.type) for column in schema},
            rows=sum(shard.rows for shard in shards),
            tokens=counted if column else counted // 4,
            tokenizer=tokenizer,
            shards=tuple(shards),
        )
        content = _content(unnamed)
        manifest = {"version": digest_json(content), **content, "provenance": provenance}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
        if finish:
            finish(Snapshot.open(folder))
    return Snapshot.open(place)


def _named(provenance: dict[str, Any]) -> str:
    return ", ".join(str(source["uri"]) for source in provenance.get("sources", []))


def _checked(batches: Iterable[pa.RecordBatch], sources: str) -> Iterator[pa.Table]:
    """Batches as tables, without the metadata that writers leave. Raises InputError where the schema changes."""
    schema: pa.Schema | None = None
    for batch in batches:
        schema = schema or batch.schema.remove_metadata()
        if not batch.schema.equals(schema):
            raise InputError(
                f"the columns change on the way: {schema.names} at first, then {batch.schema.names}",
                where=sources,
                fix="Give files of one schema",
            )
        if batch.num_rows:
            yield pa.Table.from_batches([batch.replace_schema_metadata(None)])


class _Held:
    """Rows on their way into row groups, which are the same however the rows arrived: so are the shards' bytes."""

    def __init__(self, tables: Iterator[pa.Table], most_bytes: int) -> None:
        self._tables, self._most_bytes = tables, most_bytes
        self._held: list[pa.Table] = []
        self._sizes = np.empty(0, np.int64)

    def take(self, most: int) -> pa.Table | None:
        """The next row group, of `most` rows at most, in one piece; None behind the last."""
        most = min(most, ROW_GROUP)
        while len(self._sizes) < most and self._sizes.sum() < self._most_bytes:
            table = next(self._tables, None)
            if table is None:
                break
            self._held.append(table)
            sizes = pc.fill_null(pc.binary_length(table["text"]), 0).to_numpy().astype(np.int64)
            self._sizes = np.concatenate([self._sizes, sizes])
        if not len(self._sizes):
            return None
        full = int(np.searchsorted(np.cumsum(self._sizes), self._most_bytes)) + 1
        count = min(most, full, len(self._sizes))
        whole = pa.concat_tables(self._held)
        self._held, self._sizes = [whole.slice(count)], self._sizes[count:]
        return whole.slice(0, count).combine_chunks()


def find_made(place: str, provenance: dict[str, Any]) -> Snapshot | None:
    """The very snapshot where it was made before. Raises InputError where something else lies there.

    `provenance`: what it must say of itself, and may say more.
    """
    if not exists(place):
        return None
    if exists(join(place, MANIFEST)):
        found = Snapshot.open(place)
        if all(found.manifest.provenance.get(name) == value for name, value in provenance.items()):
            return found
    raise InputError("the output exists already", where=place, fix="Remove it, or name another")
