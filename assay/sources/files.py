"""Read Parquet, JSONL, CSV, WARC, WET and HTML files as record batches, from any fsspec file system."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.sources import jsonl, warc
from assay.sources.damage import Damage, DamageHandler
from assay.sources.schemas import conformed

ROWS = 5_000
"""Largest number of rows in a batch."""
BATCH_BYTES = 64 * 2**20
"""Approximate size of a batch in bytes: documents of megabytes come a few at a time."""
KINDS = (".parquet", ".jsonl", ".csv", ".warc", ".wet", ".html")
PACKED = (".jsonl", ".warc", ".wet", ".html")
CODECS = {".gz": "gzip", ".zst": "zstd"}
"""Endings of compressed files, which may follow the kinds in PACKED."""
HTML = pa.schema({"file": pa.string(), "html": pa.large_binary()})
"""Columns of HTML files. Each file is one row: its name and its page."""


def _parquet(file: Any) -> Iterator[pa.RecordBatch]:
    # Damaged compressed pages often unpack to other values without an error. Not every writer leaves checksums.
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    groups = [parquet.metadata.row_group(group) for group in range(parquet.metadata.num_row_groups)]
    # The mean row of the row group with the longest ones, so that batches stay near BATCH_BYTES in every group.
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    yield from parquet.iter_batches(batch_size=max(1, min(ROWS, int(BATCH_BYTES / max(row_bytes, 1)))))


def _csv(file: Any, schema: pa.Schema | None, on_damage: DamageHandler | None) -> pyarrow.csv.CSVStreamingReader:
    """Return a reader of a CSV file. Without a schema, the first block decides the types."""

    def invalid(row: pyarrow.csv.InvalidRow) -> str:
        if on_damage is None:
            return "error"
        place = f"line {row.number}" if row.number else "a line"
        on_damage(Damage(place, f"has {row.actual_columns} cells instead of {row.expected_columns}"))
        return "skip"

    return pyarrow.csv.open_csv(
        file,
        # Arrow numbers invalid rows only if it reads in one thread.
        read_options=pyarrow.csv.ReadOptions(use_threads=on_damage is None),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
        # With the check, one invalid byte makes the whole column binary. Invalid UTF-8 is replaced later.
        convert_options=pyarrow.csv.ConvertOptions(column_types=schema, check_utf8=False),
    )


def kind_of(path: str) -> str | None:
    """Return the ending that decides how a file is read, or None if the file is hidden or of no known kind."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.startswith((".", "_")):
        return None
    for ending in CODECS:
        name = name.removesuffix(ending) if name.endswith(tuple(f"{kind}{ending}" for kind in PACKED)) else name
    name = f"{name}l" if name.endswith(".htm") else name
    return next((kind for kind in KINDS if name.endswith(kind)), None)


@contextmanager
def _opened(fs: Any, path: str, on_damage: DamageHandler | None) -> Iterator[tuple[str, Any]]:
    """Open a file and yield (kind, file), decompressed.

    If the content does not match the ending, the block ends and `on_damage` is called; without `on_damage`, raise
    InputError with the name of the file. An error of the store or the disk always raises InputError.
    """
    kind = kind_of(path)
    assert kind is not None, path
    codec = next((codec for ending, codec in CODECS.items() if path.lower().endswith(ending)), None)
    # Archives are compressed record by record: `warc` unpacks each record, so that damage costs only that one.
    if kind in warc.KINDS and codec == "gzip":
        codec = None
    try:
        with fs.open(path, "rb") as file:
            yield kind, pa.CompressedInputStream(file, codec) if codec else file
    except InputError:
        raise
    except (pa.ArrowException, EOFError, UnicodeDecodeError, OSError) as error:
        what = f"this {kind[1:]} file cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}"
        if getattr(error, "errno", None):
            # An error number comes from the store or the disk. The file may be intact: it is not recorded as damaged.
            raise InputError(what, where=path, fix="Check that it exists and can be read, and run again") from error
        if on_damage is None:
            raise InputError(what, where=path, fix="It may be cut off or of another kind; get it again") from error
        on_damage(Damage("", what))


def read_schema(fs: Any, path: str, *, tolerant: bool = False) -> pa.Schema:
    """Return the columns of one file, from its footer (Parquet), its first block (CSV) or all its rows (JSONL).

    Raise InputError if something cannot be read. If `tolerant`, skip it instead, which may leave no column.
    """
    ignored = _ignore if tolerant else None
    fixed = {**warc.KINDS, ".html": HTML}
    if schema := fixed.get(str(kind_of(path))):
        return schema
    found = pa.schema([])
    with _opened(fs, path, ignored) as (kind, file):
        if kind == ".parquet":
            schema = pq.read_schema(file)
        else:
            schema = jsonl.read_schema(file, path, ignored) if kind == ".jsonl" else _csv(file, None, ignored).schema
        if schema.names:  # Arrow decodes the names here: one that is not UTF-8 raises inside the block
            found = schema
    return found


def _ignore(_: Damage) -> None:
    """Ignore damage, which is reported when the rows are read."""


def read_batches(
    fs: Any, path: str, schema: pa.Schema, *, name: str = "", on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one file with the columns of `schema`, which may have wider types than the file.

    `name` is the value of an HTML file's column `file`; by default, the last part of the path.

    `on_damage` is called for what cannot be read, and reading continues at the next line (JSONL, CSV) or the next
    record (WARC, WET). It stops for Parquet, HTML, and files that are compressed as a whole. Without `on_damage`,
    raise InputError with the name of the file, and the line if the kind has lines.
    """
    with _opened(fs, path, on_damage) as (kind, file):
        if kind == ".jsonl":
            yield from jsonl.read_batches(file, path, schema, rows=ROWS, size=BATCH_BYTES, on_damage=on_damage)
            return
        if kind == ".html":
            page = [{"file": name or path.rsplit("/", 1)[-1], "html": file.read()}]
            yield conformed(pa.RecordBatch.from_pylist(page, schema=HTML), schema, path)
            return
        for batch in _batches(kind, file, path, schema, on_damage):
            yield conformed(batch, schema, path)


def _batches(
    kind: str, file: Any, path: str, schema: pa.Schema, on_damage: DamageHandler | None
) -> Iterator[pa.RecordBatch]:
    if kind in warc.KINDS:
        yield from warc.read_batches(file, path, kind, rows=ROWS, size=BATCH_BYTES, on_damage=on_damage)
    else:
        yield from _parquet(file) if kind == ".parquet" else _csv(file, schema, on_damage)
