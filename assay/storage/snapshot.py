"""A snapshot: documents as Parquet shards under a manifest whose digest is their version.

The manifest is written last: a folder without one is no snapshot. The version covers the content only
(schema, rows, the shards' sha256), so the same documents have the same version whoever fetched them, when,
and with which release of the code; where they came from stands beside it as provenance.
"""

import datetime
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.hashing import digest_file, digest_json
from assay.storage.staging import staged_folder

MANIFEST = "manifest.json"
ROW_GROUP = 5_000
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
    """Sources with revision, settings, time; not part of the version."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot on a local disk."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> "Snapshot":
        """Raises InputError where there is no complete snapshot."""
        try:
            fields = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            shards = tuple(Shard(**shard) for shard in fields.pop("shards"))
            return cls(path, Manifest(shards=shards, **fields))
        except FileNotFoundError as error:
            raise InputError(
                f"no snapshot: {MANIFEST} is missing",
                where=str(path),
                fix="Make it again; a broken run leaves none",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"the manifest cannot be read: {error}", where=str(path / MANIFEST)) from error

    def verify(self) -> None:
        """Raises InputError naming the first shard whose bytes are not those of the manifest."""
        for shard in self.manifest.shards:
            file = self.path / shard.name
            if not file.is_file() or digest_file(file) != shard.sha256:
                raise InputError(
                    f"shard {shard.name} is missing or not what was written",
                    where=str(self.path),
                    fix="Make it again",
                )

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in order, in record batches."""
        for shard in self.manifest.shards:
            with pq.ParquetFile(self.path / shard.name) as file:
                yield from file.iter_batches(columns=columns)

    def take(self, rows: Iterable[int], column: str = "text") -> list[Any]:
        """Values of one column at the given row numbers, in their order; one shard in memory at a time."""
        wanted = list(rows)
        found: dict[int, Any] = {}
        needed, start = set(wanted), 0
        for batch in self.batches([column]):
            for row in needed.intersection(range(start, start + batch.num_rows)):
                found[row] = batch.column(0)[row - start].as_py()
            start += batch.num_rows
        return [found[row] for row in wanted]


def write_snapshot(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    *,
    provenance: dict[str, Any],
    rows_per_shard: int = 100_000,
    replace: bool = False,
) -> Snapshot:
    """Write record batches of one schema, with a `text` column, as a snapshot at `path`.

    Raises InputError where there is no row, or a batch has another schema than the first; then nothing is left.
    """
    sources = str(provenance.get("sources", ""))
    with staged_folder(path, replace=replace) as folder:
        shards: list[Shard] = []
        schema: pa.Schema | None = None
        writer: pq.ParquetWriter | None = None
        text_bytes = rows = 0

        def close() -> None:
            nonlocal writer, rows
            if writer is not None:
                writer.close()
                file = folder / f"part-{len(shards):05d}.parquet"
                shards.append(Shard(file.name, rows, file.stat().st_size, digest_file(file)))
            writer, rows = None, 0

        for group in _row_groups(_checked(batches, sources), rows_per_shard):
            schema = schema or group.schema
            if writer is None:
                writer = pq.ParquetWriter(folder / f"part-{len(shards):05d}.parquet", schema, compression="zstd")
            writer.write_table(group)
            rows += group.num_rows
            text_bytes += pc.sum(pc.binary_length(group["text"])).as_py() or 0
            if rows == rows_per_shard:
                close()
        close()
        if schema is None:
            raise InputError("there is no row in it", where=sources)

        content = {
            "schema": {column.name: str(column.type) for column in schema},
            "rows": sum(shard.rows for shard in shards),
            "tokens": text_bytes // 4,
            "tokenizer": TOKEN_ESTIMATE,
            "shards": [asdict(shard) for shard in shards],
        }
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        manifest = {
            "version": digest_json(content),
            **content,
            "provenance": {**provenance, "created": created},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
    return Snapshot.open(path)


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


def _row_groups(tables: Iterator[pa.Table], rows_per_shard: int) -> Iterator[pa.Table]:
    """Tables of ROW_GROUP rows, shorter where a shard ends or the rows do; each in one piece.

    Row groups are the same however the rows arrived, so that the shards' bytes are too.
    """
    held: list[pa.Table] = []
    written = 0
    for table in tables:
        held.append(table)
        while sum(each.num_rows for each in held) >= (
            want := min(ROW_GROUP, rows_per_shard - written % rows_per_shard)
        ):
            whole = pa.concat_tables(held)
            yield whole.slice(0, want).combine_chunks()
            written += want
            held = [whole.slice(want)]
    if held and (rest := pa.concat_tables(held).combine_chunks()).num_rows:
        yield rest
