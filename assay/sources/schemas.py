"""Join the schemas of the files of a source. A column that one file never fills is no conflict."""

from collections.abc import Iterable

import pyarrow as pa

from assay.errors import InputError
from assay.sources.utf8 import is_text


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type without its encoding. Dictionaries and views hold the same values as plain types."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_binary_view(kind) else kind


def _merged(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both, or None. Null gives the other type; numbers give the wider one."""
    if pa.types.is_null(one) or pa.types.is_null(two):
        return two if pa.types.is_null(one) else one
    # Arrow's permissive promotion also joins text with binary; text stays apart from every other kind here.
    if is_text(one) != is_text(two):
        return None
    try:
        both = [pa.schema({"column": kind}) for kind in (one, two)]
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def unified(schemas: Iterable[tuple[str, pa.Schema]], *, gaps: frozenset[str]) -> pa.Schema:
    """Return the columns of all files, given as (path, schema). A column that is null in all files becomes text.

    Only the files in `gaps` may lack a column of another file. Raise InputError with the names of two files if their
    columns conflict, and with one name if that file has a column twice.
    """
    kinds: dict[str, tuple[pa.DataType, str]] = {}
    names: dict[str, set[str]] = {}
    for path, schema in schemas:
        names[path] = set(schema.names)
        if len(names[path]) < len(schema.names):
            twice = next(name for name in schema.names if schema.names.count(name) > 1)
            raise InputError(f"column {twice!r} occurs twice", where=path, fix="Rename one of them")
        for column in schema:
            kind = _plain(column.type)
            known, owner = kinds.get(column.name, (pa.null(), path))
            merged = _merged(known, kind)
            if merged is None:
                raise _change(f"{column.name!r} is {known} in one file and {kind} in the other", owner, path)
            kinds[column.name] = (merged, owner if merged == known else path)
    for path in names:
        absent = [] if path in gaps else [name for name in kinds if name not in names[path]]
        for name in absent:
            owner = next(other for other in names if name in names[other])
            raise _change(f"{name!r} is in the first file and not in the second", owner, path)
    return pa.schema({name: pa.string() if pa.types.is_null(kind) else kind for name, (kind, _) in kinds.items()})


def _change(what: str, one: str, two: str) -> InputError:
    return InputError(f"the columns change: {what}", where=f"{one} and {two}", fix="Give files of one schema")


def conformed(batch: pa.RecordBatch, schema: pa.Schema, path: str) -> pa.RecordBatch:
    """Return a batch with exactly these columns. Raise InputError if the wider type cannot hold a value exactly."""
    columns = []
    for field in schema:
        column = batch[field.name]
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException as error:
            raise InputError(
                f"column {field.name!r} is {column.type} here and {field.type} in other files: {error}",
                where=path,
                fix="Give files of one schema",
            ) from error
    return pa.record_batch(columns, schema=schema)
