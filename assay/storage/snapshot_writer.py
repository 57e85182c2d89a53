"""Write documents as a snapshot: row groups and shards whose bytes depend on the documents alone."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.hashing import digest_file, digest_json
from assay.storage.manifest import MANIFEST, TOKEN_ESTIMATE, Manifest, Shard, content, named_sources
from assay.storage.objects import exists, join, published_file, published_folder, write_bytes
from assay.storage.records import only_known_fields, parse_json
from assay.storage.snapshot import ROW_GROUP, Snapshot

ROWS_PER_SHARD = 100_000
"""Documents of a shard, if nothing else is asked for."""
GROUP_BYTES = 64 * 2**20
"""Bytes of text in a row group, above which the next document starts another one. A row group is held in memory."""


def write_snapshot(
    place: str | Path,
    batches: Iterable[pa.RecordBatch],
    *,
    provenance: dict[str, Any],
    tokens: tuple[str, str] | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
    shard_bytes: int | None = None,
    replace: bool = False,
    keep: bool = False,
    finish: Callable[[Snapshot], None] | None = None,
) -> Snapshot:
    """Write record batches of one schema, with a `text` column, as a snapshot at a path or fsspec URL.

    `tokens` is the column with the number of each document's tokens, and the name of the tokenizer. Without it the
    tokens are estimated. A shard ends at `rows_per_shard`, or with the row group that brings its file to `shard_bytes`:
    it is at most a quarter larger, unless one document is larger. `finish` gets the snapshot in its hidden place, and
    may add files next to the shards before it appears. `replace` and `keep` work as in `published_folder`. Raise
    InputError if there is no row, or if a batch has another schema than the first; then nothing is left.
    """
    sources = named_sources(provenance)
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

        # A quarter of a shard at most: a shard ends with a row group, and must not exceed its size by more.
        group_bytes = min(GROUP_BYTES, max(1, shard_bytes // 4)) if shard_bytes else GROUP_BYTES
        held = _Held(_checked(batches, sources), group_bytes)
        while (group := held.take(rows_per_shard - rows)) is not None:
            schema = schema or group.schema
            if writer is None:  # opened by the first row, so that no shard is empty
                file = folder / f"part-{len(shards):05d}.parquet"
                writer = pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)
            writer.write_table(group)
            rows += group.num_rows
            counted += pc.sum(group[column] if column else pc.binary_length(group["text"])).as_py() or 0
            if rows == rows_per_shard or (shard_bytes and file.stat().st_size >= shard_bytes):
                close()
        close()
        if schema is None:
            raise InputError("there is no row in it", where=sources, fix="Give at least one document")

        types = {column.name: str(column.type) for column in schema}
        text = _manifest(types, shards, counted if column else counted // 4, tokenizer, provenance)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        if finish:
            finish(Snapshot.open(folder))
    return Snapshot.open(place)


def _manifest(
    types: dict[str, str], shards: list[Shard], tokens: int, tokenizer: str, provenance: dict[str, Any]
) -> str:
    rows = sum(shard.rows for shard in shards)
    fields = content(Manifest("", types, rows, tokens, tokenizer, tuple(shards)))
    manifest = {"version": digest_json(fields), **fields, "provenance": provenance}
    return json.dumps(manifest, indent=2, ensure_ascii=False)


@only_known_fields
@dataclass(frozen=True)
class WrittenShard:
    """A shard that one process wrote to its place, and what the manifest says of it."""

    shard: Shard
    schema: dict[str, str]
    """Column -> Arrow type."""
    tokens: int


def write_shard(
    place: str, number: int, batches: Iterable[pa.RecordBatch], *, tokens: str, rows: int = ROWS_PER_SHARD
) -> WrittenShard:
    """Write one shard of a snapshot at `place`, whose other shards other processes write.

    The bytes are those that `write_snapshot` gives the same documents. `tokens`: column with the tokens of each
    document. `rows`: its documents at most. Raise InputError if there is no document.
    """
    name, counted, schema, left = f"part-{number:05d}.parquet", 0, None, rows
    with published_file(join(place, name)) as file:
        held = _Held(_checked(batches, place), GROUP_BYTES)
        writer: pq.ParquetWriter | None = None
        while (group := held.take(left)) is not None:
            if writer is None:
                schema = group.schema
                writer = pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)
            writer.write_table(group)
            left -= group.num_rows
            counted += pc.sum(group[tokens]).as_py() or 0
        if writer is None or schema is None:
            raise InputError("there is no row in it", where=join(place, name), fix="Give at least one document")
        writer.close()
        shard = Shard(name, rows - left, file.stat().st_size, digest_file(file))
    return WrittenShard(shard, {column.name: str(column.type) for column in schema}, counted)


def write_manifest(
    place: str,
    shards: Sequence[WrittenShard],
    *,
    tokenizer: str,
    provenance: dict[str, Any],
    finish: Callable[[Snapshot], None],
) -> Snapshot:
    """Make a snapshot of shards that `write_shard` wrote, in their order. `finish` adds files before it appears."""
    tokens = sum(shard.tokens for shard in shards)
    text = _manifest(shards[0].schema, [each.shard for each in shards], tokens, tokenizer, provenance)
    about = {"what": "the manifest", "where": place}
    finish(Snapshot(place, parse_json(Manifest, text, **about)))
    write_bytes(join(place, MANIFEST), text.encode())
    return Snapshot.open(place)


def write_reference(place: str | Path, manifest: Manifest, *, keep: bool = False) -> Snapshot:
    """Write a manifest over files that stay where they lie, as a snapshot at a path or fsspec URL.

    Its version is computed here. `keep` works as in `published_folder`.
    """
    fields = content(manifest)
    written = {"version": digest_json(fields), **fields, "provenance": manifest.provenance}
    written["reference"] = asdict(manifest.reference) if manifest.reference else None
    with published_folder(str(place), last=MANIFEST, keep=keep) as folder:
        (folder / MANIFEST).write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    return Snapshot.open(place)


def _checked(batches: Iterable[pa.RecordBatch], sources: str) -> Iterator[pa.Table]:
    """Yield batches as tables, without the metadata that writers leave. Raise InputError if the schema changes."""
    schema: pa.Schema | None = None
    for batch in batches:
        schema = schema or batch.schema.remove_metadata()
        if not batch.schema.equals(schema):
            raise InputError(
                f"the columns change: {schema.names} at first, then {batch.schema.names}",
                where=sources,
                fix="Give files of one schema",
            )
        if batch.num_rows:
            yield pa.Table.from_batches([batch.replace_schema_metadata(None)])


class _Held:
    """Rows that wait for their row group. Groups, and so the bytes of the shards, do not depend on the batches."""

    def __init__(self, tables: Iterator[pa.Table], most_bytes: int) -> None:
        self._tables, self._most_bytes = tables, most_bytes
        self._held: list[pa.Table] = []
        self._sizes = np.empty(0, np.int64)

    def take(self, most: int) -> pa.Table | None:
        """Return the next row group, of at most `most` rows, in one piece. None after the last."""
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
    """Return the snapshot at a place if it was made before with these entries of its provenance. None if none exists.

    Raise InputError if something else exists there.
    """
    if not exists(place):
        return None
    if exists(join(place, MANIFEST)):
        found = Snapshot.open(place)
        if all(found.manifest.provenance.get(name) == value for name, value in provenance.items()):
            return found
    raise InputError("the output exists already", where=place, fix="Remove it, or name another")
