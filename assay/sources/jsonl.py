"""Read JSON as record batches, with every field of every row: JSON Lines, or any other sequence of objects.

A file is read twice. The first pass finds the columns and their types, since a field may be filled for the first
time in the last row.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from assay.errors import InputError
from assay.progress import counter
from assay.sources.damage import Damage, DamageHandler, in_words
from assay.sources.members import CHUNK
from assay.sources.schemas import MOST_FIELDS, text_column, too_many_fields
from assay.sources.streams import peeked
from assay.sources.values import BrokenValueError, in_lines, read_values
from assay.storage import without_surrogates

INT64 = 2**63
WORDS = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", str: "text"}
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
        raise _BadLineError(f"not valid JSON: {_mistake(line, error)}", "Correct or remove the line") from error
    return _named(value)


def _mistake(line: bytes, error: Exception) -> str:
    if line.lstrip().startswith(b"{'"):
        return "it is a Python dict; write it with json.dumps"
    return in_words(error)


def _named(value: Any) -> dict[str, Any]:
    """Return a value with valid names. Raise _BadLineError if it is no object."""
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


class _Row(NamedTuple):
    """One object of a file."""

    unit: str
    """`line`, or `value` if the file has no object a line."""
    number: int
    size: int
    """Size in bytes."""
    cells: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.unit} {self.number}"


def _rows(file: Any, path: str, on_damage: DamageHandler | None) -> Iterator[_Row]:
    """Yield every object. Call `on_damage` for what is none; without it, raise InputError with the place."""
    head, whole = peeked(file, CHUNK)
    lines = in_lines(head, whole=len(head) < CHUNK)
    unit = "line" if lines else "value"
    number = 0
    parts = enumerate(whole if lines else read_values(whole), 1)
    while True:
        try:
            # One loop for all good rows: it is the inner loop of reading, and leaves only at a fault.
            for number, part in parts:
                if not lines:
                    yield _Row(unit, number, part[0], _named(part[1]))
                elif part.strip():
                    yield _Row(unit, number, len(part), _object(part))
            return
        except _BadLineError as error:
            place = f"{unit} {number}"
            if on_damage is None:
                raise InputError(str(error), where=f"{path}, {place}", fix=error.fix) from error
            on_damage(Damage(place, str(error)))
        except BrokenValueError as error:
            place = f"value {number + 1}"
            if on_damage is None:
                raise InputError(
                    f"not valid JSON: {error}", where=f"{path}, {place}", fix="Correct it there"
                ) from error
            return on_damage(Damage("", f"cannot be read from {place} on: not valid JSON: {error}"))
        except (pa.ArrowException, EOFError, OSError) as error:
            # An error number comes from the store or the disk, not from the content of the file.
            if on_damage is None or getattr(error, "errno", None):
                raise
            return on_damage(Damage("", f"cannot be read from {unit} {number + 1} on: {in_words(error)}"))


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
        for row in _rows(file, path, on_damage):
            for name, value in row.cells.items():
                known = kinds.setdefault(name, set())
                if value is not None:
                    known.add(_kind(value))
            if len(kinds) > MOST_FIELDS:
                raise too_many_fields(next(reversed(kinds)), f"{path}, {row.place}")
            progress.update()
    return pa.schema({name: _column_type(known) for name, known in kinds.items()})


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return without_surrogates(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return float(value) if pa.types.is_floating(kind) else value


def _batch(chunk: list[_Row], schema: pa.Schema, path: str) -> pa.RecordBatch:
    columns = []
    for column in schema:
        try:
            cells = [_cell(row.cells.get(column.name), column.type) for row in chunk]
            columns.append(pa.array(cells, column.type))
        except (pa.ArrowException, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise InputError(
                f"column {column.name!r} has a value that is not {column.type}: {error}",
                where=f"{path}, {chunk[0].place} to {chunk[-1].place}",
                fix="Give every row the same type, and do not change the file while it is read",
            ) from error
    return pa.record_batch(columns, schema=schema)


def read_batches(
    file: Any, path: str, schema: pa.Schema, *, rows: int, size: int, on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield batches of at most `rows` rows and about `size` bytes of lines. A field that a row lacks is null."""
    text = text_column(schema)
    chunk: list[_Row] = []
    held = 0
    for row in _rows(file, path, on_damage):
        if text and type(cell := row.cells.get(text)) is not str and cell is not None:
            _report_kind(row, text, path, on_damage)
            continue
        if len(chunk) == rows or (chunk and held + row.size > size):
            yield _batch(chunk, schema, path)
            chunk, held = [], 0
        chunk.append(row)
        held += row.size
    if chunk:
        yield _batch(chunk, schema, path)


def _report_kind(row: _Row, text: str, path: str, on_damage: DamageHandler | None) -> None:
    what = f"its {text!r} is {WORDS.get(type(row.cells[text]), 'no text')}, not text"
    if on_damage is None:
        raise InputError(what, where=f"{path}, {row.place}", fix="Name the column of the documents, or correct the row")
    on_damage(Damage(row.place, f"cannot be used: {what}"))
