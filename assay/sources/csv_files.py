"""Read CSV as record batches (RFC 4180). Cells are text; a column becomes numbers or times only if nothing is lost.

A file is read twice. The first pass finds the types: a column may change in the last row. A cell that is empty is
missing in a column of numbers or times, and empty in a column of text.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from assay.sources.damage import Damage, DamageHandler

BLOCK = 8 * 2**20
"""Bytes that are parsed at once. A row has to fit into a block."""
LARGEST = 512 * 2**20
"""Largest block in bytes, to which blocks grow for a row that is longer."""
KINDS = (pa.int64(), pa.bool_(), pa.date32(), pa.timestamp("s"), pa.float64())
"""Types of columns besides text, in the order in which they are tried."""
DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]\d+)?$"
"""Numbers that become floats. Programs write the sign of an exponent; without one, `12e4` may be a code."""
Opener = Callable[[], AbstractContextManager[Any]]


def read_schema(opener: Opener, on_damage: DamageHandler | None) -> pa.Schema:
    """Return the columns with the narrowest type that loses no digit of any cell, text otherwise.

    `0007` and `12e4`, which may be codes, stay text, as does a number of more digits than a float holds. A column
    without a filled cell has the type null.
    """
    names = _names(opener)
    if len(set(names)) < len(names):
        return pa.schema([(name, pa.string()) for name in names])  # the caller refuses it by name
    text = pa.schema([(name, pa.string()) for name in names])
    open_kinds: dict[str, tuple[pa.DataType, ...]] = dict.fromkeys(names, KINDS)
    filled: set[str] = set()
    for batch in read_batches(opener, text, on_damage):
        for name, kinds in open_kinds.items():
            if not kinds:
                continue
            cells = batch[name].filter(pc.not_equal(batch[name], ""))
            if len(cells):
                filled.add(name)
                open_kinds[name] = tuple(kind for kind in kinds if _holds(kind, cells))
    found = {name: (open_kinds[name] or (pa.string(),))[0] if name in filled else pa.null() for name in names}
    return pa.schema(found)


def _holds(kind: pa.DataType, cells: pa.Array) -> bool:
    """Return True if a type loses no digit of the cells."""
    try:
        if not pa.types.is_floating(kind):
            return bool(pc.all(pc.equal(cells.cast(kind).cast(pa.string()), cells)).as_py())
        if not pc.all(pc.match_substring_regex(cells, DECIMAL)).as_py():
            return False
        numbers = cells.cast(kind)
        # The shortest form of a float has other zeros and exponents than the cell, but the same digits.
        same = pc.equal(_digits(numbers.cast(pa.string())), _digits(cells))
        return bool(pc.all(pc.and_(pc.is_finite(numbers), same)).as_py())
    except pa.ArrowException:
        return False


def _digits(cells: pa.Array) -> pa.Array:
    """Return the digits of numbers, from the first to the last that is not 0."""
    whole = pc.replace_substring_regex(cells, r"^[^1-9]*|[eE].*|\.", "")
    return pc.replace_substring_regex(whole, "0+$", "")


def _names(opener: Opener) -> list[str]:
    for block in _blocks():
        try:
            with opener() as file:
                return list(_reader(file, block, None, lambda _: None).schema.names)
        except pa.ArrowInvalid as error:
            _raise_unless_too_long(error, block)
    raise AssertionError("the last block raises")


def read_batches(opener: Opener, schema: pa.Schema, on_damage: DamageHandler | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows in order, in batches of a block. `opener` opens the file from its beginning.

    `on_damage` is called for each row of another number of cells; without it, the first one raises ArrowInvalid, as
    does a row longer than LARGEST.
    """
    given = 0
    reported = 0
    for block in _blocks():
        # Behind a row that is longer than a block Arrow cannot go on, so the file is read again in larger blocks.
        seen, skipped = 0, 0

        def report(damage: Any) -> None:
            nonlocal skipped, reported
            skipped += 1
            if on_damage and skipped > reported:
                reported = skipped
                on_damage(damage)

        try:
            with opener() as file:
                for batch in _reader(file, block, schema, report if on_damage else None):
                    new = batch.slice(max(0, given - seen))
                    seen += batch.num_rows
                    if new.num_rows:
                        given += new.num_rows
                        yield new
            return
        except pa.ArrowInvalid as error:
            _raise_unless_too_long(error, block)


def _blocks() -> Iterator[int]:
    block = BLOCK
    while block < LARGEST:
        yield block
        block *= 4
    yield LARGEST


def _raise_unless_too_long(error: pa.ArrowInvalid, block: int) -> None:
    if "straddling" not in str(error):
        raise error
    if block >= LARGEST:
        raise pa.ArrowInvalid(f"a row is longer than {LARGEST // 2**20} MiB; a quote may not be closed") from error


def _reader(
    file: Any, block: int, schema: pa.Schema | None, on_damage: DamageHandler | None
) -> pyarrow.csv.CSVStreamingReader:
    def invalid(row: pyarrow.csv.InvalidRow) -> str:
        if on_damage is None:
            return "error"
        place = f"line {row.number}" if row.number else "a line"
        on_damage(Damage(place, f"has {row.actual_columns} cells instead of {row.expected_columns}"))
        return "skip"

    return pyarrow.csv.open_csv(
        file,
        # Arrow numbers invalid rows only if it reads in one thread.
        read_options=pyarrow.csv.ReadOptions(use_threads=on_damage is None, block_size=block),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
        # With the check, one invalid byte makes the whole column binary. Invalid UTF-8 is replaced later.
        convert_options=pyarrow.csv.ConvertOptions(column_types=schema, check_utf8=False, null_values=[""]),
    )
