"""Read JSON Lines as record batches, with every field of every row.

A file is read twice. The first pass finds the columns and their types, since a field may be filled for the first
time in the last row.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from assay.errors import InputError
from assay.progress import counter
from assay.sources.damage import Damage, DamageHandler
from assay.sources.utf8 import without_surrogates

INT64 = 2**63
_LONG_NUMBER = re.compile(rb"\d{19}")


class _BadLineError(ValueError):
    """A line that cannot be read. `fix` states what to do about it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def _object(line: bytes) -> dict[str, Any]:
    """Parse one line. Invalid UTF-8 becomes U+FFFD, as in Parquet, so that the damage stays in one document."""
    try:
        value = _value(line)
    except (ValueError, RecursionError) as error:
        raise _BadLineError(f"not valid JSON: {error}", "Correct or remove the line") from error
    if not isinstance(value, dict):
        raise _BadLineError("not a JSON object", 'Write {"text": …} on every line')
    if all(name.isascii() for name in value):
        return value
    return {without_surrogates(name): cell for name, cell in value.items()}


def _may_be_rounded(value: Any, line: bytes) -> bool:
    """Return True if orjson may have turned a whole number beyond 64 bits into a float."""
    # Nested values are not searched: a run of 19 digits in the line is a cheaper sign, and errs on the safe side.
    cells = value.values() if type(value) is dict else [value]
    return any(
        bool(_LONG_NUMBER.search(line)) if kind is dict or kind is list else kind is float and abs(cell) >= INT64
        for cell, kind in zip(cells, map(type, cells), strict=True)
    )


def _value(line: bytes) -> Any:
    # orjson is several times as fast as json, but it refuses NaN and lone surrogates, and it rounds whole numbers
    # beyond 64 bits. Those lines are parsed by json.
    try:
        value = orjson.loads(line)
    except ValueError:
        pass
    else:
        if not _may_be_rounded(value, line):
            return value
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return json.loads(line.decode("utf-8-sig", "replace"))


def _rows(file: Any, path: str, on_damage: DamageHandler | None) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (line number, size in bytes, object) of every line that is not blank."""
    # Iterating over an fsspec file copies a whole block of a remote file for each line.
    lines = iter(io.BufferedReader(file, 2**20))
    number = 0
    while True:
        number += 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except (pa.ArrowException, EOFError, OSError) as error:
            # An error number comes from the store or the disk, not from the content of the file.
            if on_damage is None or getattr(error, "errno", None):
                raise
            on_damage(Damage("", f"cannot be read from line {number} on: {str(error).splitlines()[0]}"))
            return
        if not line.strip():
            continue
        try:
            row = _object(line)
        except _BadLineError as error:
            if on_damage is None:
                raise InputError(str(error), where=f"{path}, line {number}", fix=error.fix) from error
            on_damage(Damage(f"line {number}", str(error)))
            continue
        yield number, len(line), row


def _kind(value: Any) -> type:
    """Return the type of a cell. A number beyond 64 bits counts as text, so that no digit is lost."""
    return str if type(value) is int and not -INT64 <= value < INT64 else type(value)


def _column_type(kinds: set[type]) -> pa.DataType:
    """Return the narrowest of null, bool, int64, float64 and string that holds all values. Others become JSON text."""
    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    if kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def read_schema(file: Any, path: str, on_damage: DamageHandler | None = None) -> pa.Schema:
    """Return all fields in the order in which they first occur. A field that is never filled has the type null."""
    kinds: dict[str, set[type]] = {}
    with counter(unit=" rows", what="columns") as progress:
        for _, _, row in _rows(file, path, on_damage):
            for name, value in row.items():
                known = kinds.setdefault(name, set())
                if value is not None:
                    known.add(_kind(value))
            progress.update()
    return pa.schema({name: _column_type(known) for name, known in kinds.items()})


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return without_surrogates(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return float(value) if pa.types.is_floating(kind) else value


def _batch(chunk: list[dict[str, Any]], schema: pa.Schema, where: str) -> pa.RecordBatch:
    columns = []
    for column in schema:
        try:
            cells = [_cell(row.get(column.name), column.type) for row in chunk]
            columns.append(pa.array(cells, column.type))
        except (pa.ArrowException, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise InputError(
                f"column {column.name!r} has a value that is not {column.type}: {error}",
                where=where,
                fix="Give every row the same type, and do not change the file while it is read",
            ) from error
    return pa.record_batch(columns, schema=schema)


def read_batches(
    file: Any, path: str, schema: pa.Schema, *, rows: int, size: int, on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield batches of at most `rows` rows and about `size` bytes of lines. A field that a row lacks is null."""
    chunk: list[dict[str, Any]] = []
    first, held = 1, 0
    for number, length, row in _rows(file, path, on_damage):
        if len(chunk) == rows or (chunk and held + length > size):
            yield _batch(chunk, schema, f"{path}, lines {first} to {number - 1}")
            chunk, first, held = [], number, 0
        chunk.append(row)
        held += length
    if chunk:
        yield _batch(chunk, schema, f"{path}, from line {first}")
