"""Parquet, JSONL, CSV, WARC, WET and HTML files as record batches, from any fsspec file system."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from assay.corpus import jsonl, warc
from assay.corpus.schemas import conformed
from assay.errors import InputError

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
    parquet = pq.ParquetFile(file)
    groups = [parquet.metadata.row_group(group) for group in range(parquet.metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    yield from parquet.iter_batches(batch_size=max(1, min(ROWS, int(BATCH_BYTES / max(row_bytes, 1)))))


def _csv(file: Any, schema: pa.Schema | None = None) -> pyarrow.csv.CSVStreamingReader:
    """Types are those of the first block where no schema is given."""
    return pyarrow.csv.open_csv(
        file,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=schema),
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
def _opened(fs: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(kind, file), unpacked. Raises InputError naming the file where it is not what its ending says."""
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
        raise InputError(
            f"this {kind[1:]} file cannot be read: {str(error).splitlines()[0]}",
            where=path,
            fix="It may be cut off or of another kind; get it again",
        ) from error


def read_schema(fs: Any, path: str) -> pa.Schema:
    """Columns and types of one file: by its footer (Parquet), its first block (CSV), all its rows (JSONL)."""
    fixed = {**warc.KINDS, ".html": HTML}
    if schema := fixed.get(str(kind_of(path))):
        return schema
    with _opened(fs, path) as (kind, file):
        if kind == ".parquet":
            return pq.read_schema(file)
        return jsonl.read_schema(file, path) if kind == ".jsonl" else _csv(file).schema


def read_batches(fs: Any, path: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows of one file, with the columns of `schema`, which may be wider than its own (`schemas.unified`).

    Raises InputError naming the file, and the line where there are lines, for what cannot be read.
    """
    with _opened(fs, path) as (kind, file):
        if kind == ".jsonl":
            yield from jsonl.read_batches(file, path, schema, rows=ROWS, size=BATCH_BYTES)
            return
        if kind in warc.KINDS:
            for batch in warc.read_batches(file, path, kind, rows=ROWS, size=BATCH_BYTES):
                yield conformed(batch, schema, path)
            return
        if kind == ".html":
            page = pa.RecordBatch.from_pylist([{"file": path.rsplit("/", 1)[-1], "html": file.read()}], schema=HTML)
            yield conformed(page, schema, path)
            return
        for batch in _parquet(file) if kind == ".parquet" else _csv(file, schema):
            yield conformed(batch, schema, path)
