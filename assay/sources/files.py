"""Read Parquet, JSON, CSV, WARC, WET and HTML files as record batches, from any fsspec file system."""

import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.sources import csv_files, jsonl, warc
from assay.sources.damage import Damage, DamageHandler, in_words, is_panic
from assay.sources.kinds import kind_of, without_query
from assay.sources.schemas import conformed, names_as_text, plain_schema
from assay.sources.streams import WrongPackingError, in_utf8, unpacked

ROWS = 5_000
"""Largest number of rows in a batch."""
BATCH_BYTES = 64 * 2**20
"""Approximate size of a batch in bytes: documents of megabytes come a few at a time."""
BEGINS = {".jsonl": b"{[", ".html": b"<"}
"""First bytes of a file that was unpacked and kept the name of a packed one. Any text may begin CSV."""
HTML = pa.schema({"file": pa.string(), "html": pa.large_binary()})
"""Columns of HTML files. Each file is one row: its name and its page."""
FIXED = {**warc.KINDS, ".html": HTML}
"""Columns by kind of file, if all files of the kind have the same."""


def _parquet(file: Any) -> Iterator[pa.RecordBatch]:
    # Damaged compressed pages often unpack to other values without an error. Not every writer leaves checksums.
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    groups = [parquet.metadata.row_group(group) for group in range(parquet.metadata.num_row_groups)]
    # The mean row of the row group with the longest ones, so that batches stay near BATCH_BYTES in every group.
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    yield from parquet.iter_batches(batch_size=max(1, min(ROWS, int(BATCH_BYTES / max(row_bytes, 1)))))


@contextmanager
def _opened(fs: Any, path: str, kind: str) -> Iterator[Any]:
    """Open a file and yield its content: unpacked, and in UTF-8 if the kind is a text format."""
    with fs.open(path, "rb") as file:
        # Archives are packed record by record: `warc` unpacks each record, so that damage costs only that one.
        if kind == ".parquet" or kind in warc.KINDS:
            yield file
            return
        content = unpacked(file, without_query(path), BEGINS.get(kind, b""))
        yield content if kind == ".html" else in_utf8(content)


@contextmanager
def _clear_errors(path: str, kind: str, on_damage: DamageHandler | None) -> Iterator[None]:
    """Turn errors of the content into damage of the whole file, or into an InputError without `on_damage`.

    An error of the store or the disk always raises InputError.
    """
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        known = (pa.ArrowException, EOFError, UnicodeDecodeError, OSError, WrongPackingError, lzma.LZMAError)
        if not (isinstance(error, known) or is_panic(error)):
            raise
        what = f"this {kind[1:]} file cannot be read: {in_words(error)}"
        if getattr(error, "errno", None):
            # An error number comes from the store or the disk. The file may be intact: it is not recorded as damaged.
            raise InputError(what, where=path, fix="Check that it exists and can be read, and run again") from error
        if on_damage is None:
            raise InputError(what, where=path, fix="It may be cut off or of another kind; get it again") from error
        on_damage(Damage("", what))


def read_schema(fs: Any, path: str, *, on_damage: DamageHandler | None = None) -> pa.Schema:
    """Return the columns of one file, from its footer (Parquet) or all its rows (JSON, CSV).

    Raise InputError if something cannot be read. With `on_damage`, that is called instead, and there may be no column.
    """
    kind = str(kind_of(path))
    if schema := FIXED.get(kind):
        return schema
    found = pa.schema([])
    with _clear_errors(path, kind, on_damage):
        if kind == ".csv":
            schema = csv_files.read_schema(partial(_opened, fs, path, kind), on_damage)
        else:
            with _opened(fs, path, kind) as file:
                schema = pq.read_schema(file) if kind == ".parquet" else jsonl.read_schema(file, path, on_damage)
        if schema.names:  # Arrow decodes the names here: one that is not UTF-8 raises inside the block
            found = plain_schema(schema)
    return found


def read_batches(
    fs: Any, path: str, schema: pa.Schema, *, name: str = "", on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one file with the columns of `schema`, which may have wider types than the file.

    `name` is the value of an HTML file's column `file`; by default, the last part of the path.

    `on_damage` is called for what cannot be read, and reading continues at the next line (JSON, CSV) or the next
    record (WARC, WET). It stops for Parquet, HTML, and files that are compressed as a whole. Without `on_damage`,
    raise InputError with the name of the file, and the line if the kind has lines.
    """
    kind = str(kind_of(path))
    with _clear_errors(path, kind, on_damage):
        if kind == ".csv":
            schema = names_as_text(schema)  # a number may be written in several ways, and an id is one of them
            for batch in csv_files.read_batches(partial(_opened, fs, path, kind), schema, on_damage):
                yield from _small(conformed(batch, schema, path))
            return
        with _opened(fs, path, kind) as file:
            if kind == ".jsonl":
                yield from jsonl.read_batches(file, path, schema, rows=ROWS, size=BATCH_BYTES, on_damage=on_damage)
                return
            if kind == ".html":
                page = [{"file": name or path.rsplit("/", 1)[-1], "html": file.read()}]
                batches = iter([pa.RecordBatch.from_pylist(page, schema=HTML)])
            elif kind == ".parquet":
                batches = _parquet(file)
            else:
                batches = warc.read_batches(file, path, kind, rows=ROWS, size=BATCH_BYTES, on_damage=on_damage)
            for batch in batches:
                yield conformed(batch, schema, path)


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in parts of at most ROWS rows."""
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS)
