"""Parquet, JSONL and CSV files as record batches, from any fsspec file system."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from assay.errors import InputError

ROWS = 5_000
"""Rows a batch: small enough that documents of a megabyte each still fit."""


def _parquet(file: Any, path: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    yield from pq.ParquetFile(file).iter_batches(batch_size=ROWS)


def _csv(file: Any, path: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    yield from pyarrow.csv.open_csv(file, parse_options=parse)


def _objects(file: Any, path: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"not valid JSON: {error}", where=f"{path}, line {number}", fix="Mend or remove the line"
            ) from error
        if not isinstance(value, dict):
            raise InputError("not a JSON object", where=f"{path}, line {number}", fix='Write {"text": …} on every line')
        yield value


def _column_type(values: list[Any]) -> pa.DataType:
    """The narrowest of bool, int64, float64 and string that holds all values; anything else becomes JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {bool}:
        return pa.bool_()
    if kinds and kinds <= {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def _cell(value: Any, kind: pa.DataType) -> Any:
    if kind != pa.string() or value is None:
        return value
    # A lone surrogate (legal in JSON, impossible in UTF-8) must not stop the file.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8")


def _jsonl(file: Any, path: str) -> Iterator[pa.RecordBatch]:
    schema: pa.Schema | None = None
    rows = _objects(file, path)
    start = 1
    while chunk := list(itertools.islice(rows, ROWS)):
        if schema is None:
            names = dict.fromkeys(name for row in chunk for name in row)
            schema = pa.schema({name: _column_type([row.get(name) for row in chunk]) for name in names})
        columns = []
        for column in schema:
            cells = [_cell(row.get(column.name), column.type) for row in chunk]
            try:
                columns.append(pa.array(cells, column.type))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise InputError(
                    f"column {column.name!r} is {column.type} at first and something else later: {error}",
                    where=f"{path}, rows {start} to {start + len(chunk) - 1}",
                    fix="Give every row the same type",
                ) from error
        start += len(chunk)
        yield pa.record_batch(columns, schema=schema)


KINDS: dict[str, Callable[[Any, str], Iterator[pa.RecordBatch]]] = {
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".csv": _csv,
}


def kind_of(path: str) -> str | None:
    """The ending that decides how a file is read, or None for a file that is none of ours."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.startswith((".", "_")):
        return None
    name = name.removesuffix(".gz").removesuffix(".zst") if ".jsonl" in name else name
    return next((kind for kind in KINDS if name.endswith(kind)), None)


def read_batches(fs: Any, path: str) -> Iterator[pa.RecordBatch]:
    """Rows of one file. Raises InputError naming it where it is not what its ending says."""
    kind = kind_of(path)
    assert kind is not None, path
    try:
        with fs.open(path, "rb", compression="infer" if kind == ".jsonl" else None) as file:
            yield from KINDS[kind](file, path)
    except InputError:
        raise
    except (pa.ArrowException, EOFError, UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"this {kind[1:]} file cannot be read: {str(error).splitlines()[0]}",
            where=path,
            fix="It may be cut off or of another kind; get it again",
        ) from error
