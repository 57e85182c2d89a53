"""Files that a snapshot refers to: read by ranges where they lie, under the names and types of the snapshot's columns.

A file is pinned by what the object store says of its content, the entity tag or generation, and on a disk by its
digest. A file of another content is refused by its name, and never read as if it were the same.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.hashing import digest_file
from assay.storage.manifest import Reference, Shard
from assay.storage.objects import local_path, open_ranges, state_of
from assay.storage.utf8 import valid_utf8

ROWS = 5_000
"""Largest number of rows in a batch."""
BATCH_BYTES = 64 * 2**20
"""Approximate size of a batch in bytes."""


@dataclass(frozen=True)
class Footer:
    """What the footer of a Parquet file says, and what pins its content."""

    shard: Shard
    schema: pa.Schema
    sizes: Mapping[str, int]
    """Column -> its bytes, unpacked but for dictionaries, which Parquet keeps."""


def read_footer(root: str, name: str) -> Footer:
    """Read the footer of one file, by a request or two of its last bytes; on a disk all bytes, for their digest.

    Raise InputError if the store names nothing that pins the content. Raise OSError or ArrowInvalid for a file that
    cannot be read.
    """
    url = root + name
    with open_ranges(url) as file:
        path = local_path(url)
        tag = "" if path else state_of(file)
        if not path and not tag:
            raise InputError(
                "this store names no entity tag or generation, so that a later change would not be noticed",
                where=url,
                fix="Copy the files: assay snapshot adopt --copy",
            )
        parquet = pq.ParquetFile(file)
        about = parquet.metadata
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        sizes: dict[str, int] = {}
        for group in groups:
            for place in range(group.num_columns):
                column = group.column(place)
                top = column.path_in_schema.split(".")[0]
                sizes[top] = sizes.get(top, 0) + column.total_uncompressed_size
        runs = tuple((rows, len(list(equal))) for rows, equal in itertools.groupby(group.num_rows for group in groups))
        size = path.stat().st_size if path else int(file.size)
        digest = digest_file(Path(path)) if path else ""
        return Footer(Shard(name, about.num_rows, size, digest, tag, runs), parquet.schema_arrow, sizes)


@dataclass(frozen=True)
class Renamed:
    """The columns of a snapshot, read from a file that has other names and types for them."""

    reference: Reference
    schema: Mapping[str, str]
    """Column of the snapshot -> Arrow type, as the manifest states them."""

    def rows(
        self, file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str] | None, where: str
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some row groups. Raise InputError if a column does not hold what the manifest states."""
        wanted = list(columns) if columns is not None else list(self.schema)
        given = self.reference.columns
        needed = [given[name] or given["text"] for name in wanted]
        here = [name for name in dict.fromkeys(needed) if name in file.schema_arrow.names]
        about = [file.metadata.row_group(group) for group in groups]
        longest = max((each.total_byte_size / max(each.num_rows, 1) for each in about), default=1.0)
        size = max(1, min(ROWS, int(BATCH_BYTES / max(longest, 1))))
        for batch in file.iter_batches(batch_size=size, row_groups=list(groups), columns=here):
            fields = {name: self._column(batch, name, where) for name in wanted}
            yield pa.record_batch(list(fields.values()), names=list(fields))

    def _column(self, batch: pa.RecordBatch, name: str, where: str) -> pa.Array:
        from assay.dedup import text_digest  # it imports scipy, which a look at a manifest does without

        given = self.reference.columns
        digested = name == "id" and not given["id"]
        source = given["text"] if digested else given[name]
        column = valid_utf8(batch[source])
        if digested:
            return pa.array([text_digest(value or "") for value in column.to_pylist()], pa.string())
        if str(column.type) == self.schema[name]:
            return column
        kind = _SIMPLE[self.schema[name]]
        try:
            return pc.cast(column, kind)
        except pa.ArrowException as error:
            raise InputError(
                f"column {source!r} is {column.type} here and {kind} in other files: {error}",
                where=where,
                fix="Copy the files, which reports such values: assay snapshot adopt --copy",
            ) from error


_SIMPLE: dict[str, Any] = {
    str(kind): kind
    for kind in (
        *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.bool_(), pa.date32(), pa.date64()),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
        *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
    )
}


def is_castable(kind: pa.DataType) -> bool:
    """Return True for types to which a column of a file is brought: text, numbers, truth values, dates and times."""
    return _SIMPLE.get(str(kind)) == kind
