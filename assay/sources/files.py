"""Parquet, JSONL, CSV, WARC, WET and HTML files as record batches, from any fsspec file system."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.sources import jsonl, warc
from assay.sources.damage import Damage, Tell
from assay.sources.schemas import conformed

ROWS = 5_000
"""Rows a batch at most."""
BATCH_BYTES = 64 * 2**20
"""And about so many bytes: documents of megabytes come a few at a time."""
KINDS = (".parquet", ".jsonl", ".csv", ".warc", ".wet", ".html")
PACKED = (".jsonl", ".warc", ".wet", ".html")
CODECS = {".gz": "gzip", ".zst": "zstd"}
"""What may follow a kind that is PACKED. Archives are unpacked record by record where they are packed so."""
HTML = pa.schema({"file": pa.string(), "html": pa.large_binary()})
"""One row a file: its name, and the page."""


def _parquet(file: Any) -> Iterator[pa.RecordBatch]:
    # Damage in compressed pages often unpacks to other values without complaint; not every writer leaves checksums.
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    groups = [parquet.metadata.row_group(group) for group in range(parquet.metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    yield from parquet.iter_batches(batch_size=max(1, min(ROWS, int(BATCH_BYTES / max(row_bytes, 1)))))


def _csv(file: Any, schema: pa.Schema | None, damaged: Tell | None) -> pyarrow.csv.CSVStreamingReader:
    """Types are those of the first block where no schema is given."""

    def invalid(row: pyarrow.csv.InvalidRow) -> str:
        if damaged is None:
            return "error"
        place = f"line {row.number}" if row.number else "a line"
        damaged(Damage(place, f"has {row.actual_columns} cells where there are {row.expected_columns} columns"))
        return "skip"

    return pyarrow.csv.open_csv(
        file,
        # Rows have numbers in one thread alone.
        read_options=pyarrow.csv.ReadOptions(use_threads=damaged is None),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
        # What is no UTF-8 is repaired later, as in the other kinds, instead of making the whole column binary.
        convert_options=pyarrow.csv.ConvertOptions(column_types=schema, check_utf8=False),
    )


def kind_of(path: str) -> str | None:
    """The ending that decides how a file is read, or None for a file that is none of ours."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.startswith((".", "_")):
        return None
    for ending in CODECS:
        name = name.removesuffix(ending) if name.endswith(tuple(f"{kind}{ending}" for kind in PACKED)) else name
    name = f"{name}l" if name.endswith(".htm") else name
    return next((kind for kind in KINDS if name.endswith(kind)), None)


@contextmanager
def _opened(fs: Any, path: str, damaged: Tell | None) -> Iterator[tuple[str, Any]]:
    """(kind, file), unpacked. For one that is not what its ending says, the block ends, and `damaged` is told.

    Without it, raises InputError naming the file.
    """
    kind = kind_of(path)
    assert kind is not None, path
    codec = next((codec for ending, codec in CODECS.items() if path.lower().endswith(ending)), None)
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
            # A store or disk says no, which is no property of the file: it may be whole.
            raise InputError(what, where=path, fix="Check that it is there and may be read, and run again") from error
        if damaged is None:
            raise InputError(what, where=path, fix="It may be cut off or of another kind; get it again") from error
        damaged(Damage("", what))


def read_schema(fs: Any, path: str, *, tolerant: bool = False) -> pa.Schema:
    """Columns and types of one file: by its footer (Parquet), its first block (CSV), all its rows (JSONL).

    Raises InputError for what cannot be read; `tolerant` passes over it, which may leave no column.
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
        if schema.names:  # which decodes them: a name that is no UTF-8 ends the block
            found = schema
    return found


def _ignore(_: Damage) -> None:
    """What the reading of the rows will tell of."""


def read_batches(
    fs: Any, path: str, schema: pa.Schema, *, name: str = "", damaged: Tell | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows of one file, with the columns of `schema`, which may be wider than its own (`schemas.unified`).

    `name`: what an HTML file's row calls it, if not the last part of its path.

    What cannot be read is told to `damaged`, and the reading goes on behind it as far as it can: at the next line
    (JSONL, CSV), at the next record (WARC, WET), not at all (Parquet, HTML, what is packed as a whole). Without it,
    raises InputError naming the file, and the line where there are lines.
    """
    with _opened(fs, path, damaged) as (kind, file):
        if kind == ".jsonl":
            yield from jsonl.read_batches(file, path, schema, rows=ROWS, size=BATCH_BYTES, damaged=damaged)
            return
        if kind == ".html":
            page = [{"file": name or path.rsplit("/", 1)[-1], "html": file.read()}]
            yield conformed(pa.RecordBatch.from_pylist(page, schema=HTML), schema, path)
            return
        for batch in _batches(kind, file, path, schema, damaged):
            yield conformed(batch, schema, path)


def _batches(kind: str, file: Any, path: str, schema: pa.Schema, damaged: Tell | None) -> Iterator[pa.RecordBatch]:
    if kind in warc.KINDS:
        yield from warc.read_batches(file, path, kind, rows=ROWS, size=BATCH_BYTES, damaged=damaged)
    else:
        yield from _parquet(file) if kind == ".parquet" else _csv(file, schema, damaged)
