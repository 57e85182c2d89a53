"""Join the schemas of the files of a source. A column that one file never fills is no conflict."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from assay.errors import InputError
from assay.sources.damage import shortened
from assay.storage import is_text

MOST_FIELDS = 2_000
"""Most different fields of JSON. Each is a column, and a column takes memory for every row."""


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type without its encoding. Dictionaries and views hold the same values as plain types.

    A UUID (RFC 9562) is read as text in its usual form, another extension type as what it stores.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if isinstance(kind, pa.UuidType) else _plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_binary_view(kind) else kind


def _merged(one: pa.DataType, two: pa.DataType, *, loose: bool) -> pa.DataType | None:
    """Return the type that holds the values of both, or None. Null gives the other type; numbers give the wider one.

    `loose`: one of the files states no types. Then text holds all that can be written as text: a column of ids may have
    numbers in one file and words in the next, as within one file.
    """
    if pa.types.is_null(one) or pa.types.is_null(two):
        return two if pa.types.is_null(one) else one
    if loose and any(map(is_text, (one, two))) and all(is_text(kind) or _is_simple(kind) for kind in (one, two)):
        return one if is_text(one) else two
    # Arrow's permissive promotion also joins text with binary; text stays apart from every other kind here.
    if is_text(one) != is_text(two):
        return None
    try:
        both = [pa.schema({"column": kind}) for kind in (one, two)]
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _is_simple(kind: pa.DataType) -> bool:
    """Return True for types whose values have one form as text."""
    return pa.types.is_primitive(kind) or pa.types.is_decimal(kind)


def unified(
    schemas: Iterable[tuple[str, pa.Schema]], *, gaps: frozenset[str], loose: frozenset[str] = frozenset()
) -> pa.Schema:
    """Return the columns of all files, given as (path, schema). A column that is null in all files becomes text.

    The files in `gaps` may lack any column; those in `loose`, of formats that state no types, the columns that only
    files in `gaps` have.
    Raise InputError with the names of two files if their columns conflict, with one name if that file has a column
    twice, and if there are more than MOST_FIELDS columns in files in `gaps`.
    """
    # Column -> each type, and if it is stated -> the first file with it.
    found: dict[str, dict[tuple[pa.DataType, bool], str]] = {}
    names: dict[str, set[str]] = {}
    for path, schema in schemas:
        names[path] = set(schema.names)
        if len(names[path]) < len(schema.names):
            twice = next(name for name in schema.names if schema.names.count(name) > 1)
            raise InputError(f"column {twice!r} occurs twice", where=path, fix="Rename one of them")
        for column in schema:
            found.setdefault(column.name, {}).setdefault((_plain(column.type), path in loose), path)
        if path in gaps and len(found) > MOST_FIELDS:
            raise too_many_fields(next(reversed(found)), path)
    stated = set().union(*(names[path] for path in names if path not in gaps))
    for path in names:
        # A row of JSON may leave a field out. A column that only JSON has is missing in CSV, which states no types.
        needed = () if path in gaps else stated if path in loose else found
        for name in (name for name in found if name in needed and name not in names[path]):
            owner = next(other for other in names if name in names[other])
            raise _change(f"{name!r} is in the first file and not in the second", owner, path)
    return pa.schema({name: _joined(name, kinds) for name, kinds in found.items()})


def _joined(name: str, kinds: dict[tuple[pa.DataType, bool], str]) -> pa.DataType:
    """Return the type that holds a column of all files. Types that are stated are joined first."""
    joined, owner = pa.null(), ""
    for (kind, inferred), path in sorted(kinds.items(), key=lambda each: each[0][1]):
        merged = _merged(joined, kind, loose=inferred)
        if merged is None:
            raise _change(f"{name!r} is {joined} in one file and {kind} in the other", owner, path)
        joined, owner = merged, owner if merged == joined else path
    return pa.string() if pa.types.is_null(joined) else joined


def too_many_fields(last: str, where: str) -> InputError:
    """Return the error for JSON whose rows have fields of their own."""
    return InputError(
        f"more than {MOST_FIELDS:,} different fields, the last one {shortened(last)!r}",
        where=where,
        fix='Names that are data belong into one field, as in {"text": …, "more": {…}}',
    )


def _change(what: str, one: str, two: str) -> InputError:
    return InputError(f"the columns change: {what}", where=f"{one} and {two}", fix="Give files of one schema")


TEXT, NAME = {b"assay": b"text"}, {b"assay": b"name"}
"""Metadata of the column of documents, which has to hold text and nothing that could be written as text, and of columns
of ids and groups, which stay as they are written."""


def with_roles(schema: pa.Schema, text: str, names: Iterable[str] = ()) -> pa.Schema:
    """Return a schema in which the column of documents and those of ids and groups are marked, if it has them."""
    for name, mark in ((text, TEXT), *((name, NAME) for name in names)):
        at = schema.get_field_index(name)
        schema = schema if at < 0 else schema.set(at, schema.field(at).with_metadata(mark))
    return schema


def text_column(schema: pa.Schema) -> str:
    """Return the name of the column of documents that `with_roles` marked; empty if none is."""
    return next((field.name for field in schema if field.metadata == TEXT), "")


def names_as_text(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which columns of ids and groups that `with_roles` marked are text."""
    return pa.schema([field.with_type(pa.string()) if field.metadata == NAME else field for field in schema])


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema without extension types."""
    return pa.schema([field.with_type(_plain(field.type)) if _is_extension(field.type) else field for field in schema])


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def _uuid_text(column: pa.Array) -> pa.Array:
    """Return UUIDs as text, 8-4-4-4-12 hexadecimal digits."""
    filled = column.storage.drop_null()
    digits = np.frombuffer(b"".join(filled.to_pylist()).hex().encode(), np.uint8).reshape(-1, 32)
    text = np.full((len(filled), 36), ord("-"), np.uint8)
    for start, stop, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + stop - start] = digits[:, start:stop]
    cells = pa.array(text.view("S36").ravel().astype(str), pa.string())
    mask = column.is_null().to_numpy(zero_copy_only=False)
    return cells.take(pa.array(np.cumsum(~mask) - 1, mask=mask))


def conformed(batch: pa.RecordBatch, schema: pa.Schema, path: str) -> pa.RecordBatch:
    """Return a batch with exactly these columns, null if it lacks one.

    Raise InputError if the wider type cannot hold a value exactly.
    """
    columns = []
    for field in schema:
        absent = field.name not in batch.schema.names
        column = pa.nulls(batch.num_rows, field.type) if absent else batch[field.name]
        if _is_extension(column.type):
            column = _uuid_text(column) if isinstance(column.type, pa.UuidType) else column.storage
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException as error:
            raise InputError(
                f"column {field.name!r} is {column.type} here and {field.type} in other files: {error}",
                where=path,
                fix="Give files of one schema",
            ) from error
    return pa.record_batch(columns, schema=schema)
