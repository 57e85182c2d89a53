"""Make a snapshot of Parquet files where they lie: a manifest over them, and no copy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from assay.errors import InputError
from assay.progress import bar, say
from assay.sources.acquire import RESERVED, Columns
from assay.sources.damage import in_words, listed
from assay.sources.kinds import kind_of
from assay.sources.names import free_names
from assay.sources.schemas import unified
from assay.sources.source import FileSource, Source
from assay.storage import (
    Footer,
    Manifest,
    Reference,
    Snapshot,
    is_castable,
    is_text,
    read_footer,
    write_reference,
)

AT_ONCE = 32
"""Footers that are read at once. They are waited for, not worked on."""
LARGE_GROUP = 100_000
"""Rows of a row group from which it is said that reading a part of it costs as much as all of it."""
FOOTER_ESTIMATE = "estimate: bytes of the text column / 4"
COPY = "Copy it: assay snapshot adopt --copy"


def can_lie(source: Source, columns: Columns) -> bool:
    """Return True for Parquet files in an object store, of which no more than texts and ids are asked.

    Such a source may be larger than any disk, so it is read where it lies. Files of a disk are copied unless somebody
    asks for the other: programs edit them, and a copy is cheap.
    """
    return _in_parquet(source) and not _local(source) and set(columns.roles()) <= {"text", "id"}


def refer(source: Source, columns: Columns, place: str | Path, *, keep: bool = False) -> Snapshot:
    """Write a snapshot that refers to the Parquet files of a source, and reads them where they lie.

    Its rows are those of `acquire`: renamed columns, valid UTF-8, ids that are digests of the texts if there are none.
    Footers are read, many at once, and no document. `keep`: as in `write_snapshot`. Raise InputError if a file is no
    Parquet, is damaged or has a column of lists or structures; if the columns are missing, or differ from file to file;
    and if there is no row.
    """
    if not _in_parquet(source):
        raise InputError("this is not Parquet alone, which can be read where it lies", where=source.uri, fix=COPY)
    assert isinstance(source, FileSource)
    if extra := sorted(set(columns.roles()) - {"text", "id"}):
        raise InputError(f"a column of the {extra[0]} is named", where=source.uri, fix=COPY)
    if source.passed:
        say(f"passed over: {listed(source.passed)}")
    root = source.root if _local(source) else source.fs.unstrip_protocol(source.root.rstrip("/")) + "/"
    footers = [footer for footer in _footers(source, root) if footer.shard.rows]
    if not footers:
        raise InputError("there is no row in it", where=source.uri, fix="Give at least one document")
    schema = unified(((root + each.shard.name, each.schema) for each in footers), gaps=frozenset())
    types, names = _columns(schema, columns, source.uri)
    _require_types(types, names, footers, source.uri)
    most = max(rows for footer in footers for rows, _ in footer.shard.groups)
    if most > LARGE_GROUP:
        say(f"row groups of up to {most:,} rows: give --rows-per-part as many, or each part reads all of its group")
    unnamed = Manifest(
        version="",
        schema={name: str(kind) for name, kind in types.items()},
        rows=sum(footer.shard.rows for footer in footers),
        tokens=sum(footer.sizes.get(columns.text, 0) for footer in footers) // 4,
        tokenizer=FOOTER_ESTIMATE,
        shards=tuple(footer.shard for footer in footers),
        provenance={
            "sources": [{"uri": source.uri, "revision": source.revision}],
            "config": {"columns": columns.to_json(), "in_place": True},
        },
        reference=Reference(root, names),
    )
    return write_reference(place, unnamed, keep=keep)


def _in_parquet(source: Source) -> bool:
    return (
        isinstance(source, FileSource)
        and not source.query
        and {kind_of(name) for name in source.members} == {".parquet"}
    )


def _local(source: Source) -> bool:
    return isinstance(source, FileSource) and isinstance(source.fs, LocalFileSystem)


def _footers(source: FileSource, root: str) -> Iterator[Footer]:
    def read(name: str) -> Footer:
        try:
            return read_footer(root, name)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"this parquet file cannot be read: {in_words(error)}",
                where=root + name,
                fix="It may be cut off or of another kind; get it again",
            ) from error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from bar(pool.map(read, source.members), unit=" files", what="footers", total=len(source.members))


def _columns(schema: pa.Schema, columns: Columns, uri: str) -> tuple[dict[str, pa.DataType], dict[str, str]]:
    """Return the types of the snapshot's columns, and what each is called in the files; the same as by `canonical`."""
    for role, name in columns.roles().items():
        if name not in schema.names:
            raise InputError(
                f"no column {name!r} for the {role}", where=uri, fix=f"Name one of: {', '.join(sorted(schema.names))}"
            )
    text = schema.field(columns.text).type
    if not is_text(text):
        raise InputError(
            f"column {columns.text!r} holds {text}, not text", where=uri, fix="Name the column of the documents"
        )
    by = columns.id or ("id" if "id" in schema.names else "")
    types = {"id": pa.string(), "text": pa.large_string()}
    names = {"id": by, "text": columns.text}
    others = [name for name in schema.names if name not in (by, columns.text)]
    for name, kept in free_names(others, {*RESERVED, *types}).items():
        types[kept], names[kept] = schema.field(name).type, name
    if by and not is_castable(schema.field(by).type):
        raise InputError(f"column {by!r} holds {schema.field(by).type}, not text or numbers", where=uri, fix=COPY)
    return types, names


def _require_types(types: dict[str, pa.DataType], names: dict[str, str], footers: list[Footer], uri: str) -> None:
    """Raise InputError for a column of lists or structures that is not of one type in all files."""
    for name, kind in types.items():
        found = {str(footer.schema.field(names[name]).type) for footer in footers if names[name]}
        if not is_castable(kind) and found != {str(kind)}:
            raise InputError(f"column {names[name]!r} holds {' and '.join(sorted(found))}", where=uri, fix=COPY)
