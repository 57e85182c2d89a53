"""Parquet files in which damage is noticed: checksums of the pages, and a seal of the footer.

A reader compares each page with its checksum. No checksum of Parquet covers the footer, which holds the schema, the
places of the pages and the notes. So the footer has the sha256 of itself as one more note, the seal. Files of other
programs have no seal, and files of earlier releases have neither: they are read without these checks.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.storage.objects import open_binary

SEAL = b"assay.seal"
DIGITS = 64
TAIL = 8
"""Bytes after the footer: its length, and the name of the format."""


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of a sealed file whose pages have checksums. `options` are those of `pq.ParquetWriter`."""
    with pq.ParquetWriter(path, schema, **{"compression": "zstd", "write_page_checksum": True, **options}) as writer:
        yield writer
        writer.add_key_value_metadata({SEAL: b"0" * DIGITS})
    with path.open("r+b") as file:
        _write_seal(file)


def parquet_bytes(table: pa.Table, notes: Mapping[bytes, bytes | str] | None = None) -> bytes:
    """Return a table as a sealed file whose pages have checksums: equal bytes for equal tables.

    `notes` are keys and values of the footer.
    """
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({**(notes or {}), SEAL: b"0" * DIGITS})
    _write_seal(buffer)
    return buffer.getvalue()


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as a sealed file whose pages have checksums."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)


def open_parquet(file: Any) -> pq.ParquetFile:
    """Open a Parquet file whose pages are compared with their checksums when they are read.

    `file` is seekable. Raise ArrowInvalid if its footer is damaged. A damaged page raises OSError when it is read.
    """
    read_seal(file)
    return pq.ParquetFile(file, page_checksum_verification=True)


def read_parquet(url: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read columns of a Parquet file, all by default.

    Raise FileNotFoundError if it is missing, and OSError or ArrowInvalid if it is damaged or lacks a column.
    """
    with open_binary(url) as raw:
        return read_columns(open_parquet(raw), columns)


def read_columns(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Return columns of an open file, all by default. Raise ArrowInvalid if it lacks one."""
    # pyarrow leaves out a column that does not exist, without an error.
    if columns and (lacking := [name for name in columns if name not in file.schema_arrow.names]):
        raise pa.ArrowInvalid(f"it has no column {', '.join(lacking)}")
    return file.read(columns=list(columns) if columns is not None else None)


def read_seal(file: Any) -> bool:
    """Return True if the footer has a seal, and False if it has none. Raise ArrowInvalid if the seal is broken."""
    start, footer = _footer(file)
    file.seek(0)
    place = _place(footer)
    if place is None:
        return False
    if _seal_of(footer, place) != footer[place : place + DIGITS]:
        raise pa.ArrowInvalid(f"its footer, from byte {start:,}, is not what was written")
    return True


def _write_seal(file: Any) -> None:
    start, footer = _footer(file)
    place = _place(footer)
    assert place is not None  # the writer has added the note
    file.seek(start + place)
    file.write(_seal_of(footer, place))


def _footer(file: Any) -> tuple[int, bytes]:
    """Return the place of the footer in a file, and its bytes up to the end of the file."""
    size = file.seek(0, os.SEEK_END)
    if size < TAIL:
        raise pa.ArrowInvalid("it is too short for a Parquet file")
    file.seek(size - TAIL)
    start = max(0, size - TAIL - int.from_bytes(file.read(4), "little"))
    file.seek(start)
    return start, file.read(size - start)


def _place(footer: bytes) -> int | None:
    """Return the place of the seal's digits in the footer. None without a seal."""
    # Thrift writes a string as its length and its bytes. Between key and value are the type of the value's field, 0x18,
    # and its length.
    written = bytes([len(SEAL)]) + SEAL + bytes([0x18, DIGITS])
    place = footer.rfind(written)
    return place + len(written) if place >= 0 else None


def _seal_of(footer: bytes, place: int) -> bytes:
    blank = footer[:place] + b"0" * DIGITS + footer[place + DIGITS :]
    return hashlib.sha256(blank).hexdigest().encode()
