"""Open sources of rows: one interface over files on a disk, in an object store, or on a hub."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from assay.errors import InputError, without_secrets
from assay.progress import bar
from assay.sources import files, huggingface, installed
from assay.sources.damage import Damage, DamageHandler, Passed, listed
from assay.sources.kinds import KINDS, PACKED, kind_of, without_query
from assay.sources.listing import list_files
from assay.sources.schemas import unified, with_roles
from assay.sources.streams import PACKINGS
from assay.storage import digest_file, digest_json

MOST_FAULTS = 1_000
"""Faults that are kept while the columns are read."""


class Source(Protocol):
    """A source of rows at one revision."""

    @property
    def uri(self) -> str:
        """Path or URL as the user wrote it."""

    @property
    def revision(self) -> str:
        """Text that changes whenever the content may have changed. Computed without parsing the content."""

    @property
    def passed(self) -> tuple[Passed, ...]:
        """Parts of the source that hold no documents and are not read."""

    def batches(self, text: str = "", names: Iterable[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the rows in a fixed order. Raise InputError with the file and row that cannot be read.

        `text`: column of the documents. JSON, which states no types, is refused if it holds something else there.
        `names`: columns of ids and groups, which come from CSV as they are written.
        """

    def checksums(self, members: Iterable[str]) -> dict[str, str]:
        """Return a text for each member that changes whenever its content may have changed.

        Empty for a source whose members are pinned by its revision.
        """

    def revision_of(self, checksums: Mapping[str, str]) -> str:
        """Return the revision that belongs to the checksums of all members."""

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the parts that can be read separately, such as files, in the order of `batches`."""

    @property
    def readable_schema(self) -> pa.Schema:
        """Columns of all members together. Files and lines that cannot be read do not count."""

    def read(self, member: str, schema: pa.Schema, on_damage: DamageHandler, /) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one member that can be read, with the columns of `schema`, which is `readable_schema`.

        Call `on_damage` for each part that cannot be read.
        """


@dataclass(frozen=True)
class FileSource:
    """A file, or all files of a known kind below a folder, in the order of their names."""

    uri: str
    """Path or URL without secrets."""
    root: str
    """Common start of all paths."""
    members: tuple[str, ...]
    """Paths below the folder, or the name of the file."""
    fs: Any
    """fsspec file system that holds the files."""
    passed: tuple[Passed, ...] = ()
    """Files below the folder that are not read."""
    query: str = ""
    """End of the URL of a single file, which is no part of its name: a signature."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.root + member for member in self.members)

    @property
    def revision(self) -> str:
        """Content digest of local files; the store's own checksum (ETag, generation) of remote ones."""
        return self.revision_of(self.checksums(self.members))

    def checksums(self, members: Iterable[str]) -> dict[str, str]:
        self.fs.invalidate_cache()  # object stores cache listings, and with them the checksums
        if len(self.members) > 1 and not isinstance(self.fs, LocalFileSystem):
            self.fs.find(self.root)  # one request for a thousand files, and not one for each
        return {member: self._checksum(member) for member in members}

    def _checksum(self, member: str) -> str:
        if isinstance(self.fs, LocalFileSystem):
            return digest_file(Path(self.root + member))
        if self.query:  # a signature, which says nothing about the content
            about = self.fs.info(self.root + member + self.query)
            return digest_json({name: str(about[name]) for name in sorted(about) if name not in ("name", "url")})
        return str(self.fs.checksum(self.root + member))

    def revision_of(self, checksums: Mapping[str, str]) -> str:
        return digest_json({self.root + member: checksum for member, checksum in checksums.items()})

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of all files together, known before the first row is read.

        Reads the footer of every Parquet file, and all rows of JSON and CSV. Raise InputError with the names of two
        files whose columns conflict.
        """
        return self._unified(None)

    @cached_property
    def readable_schema(self) -> pa.Schema:
        damages: list[tuple[str, Damage]] = []
        schema = self._unified(damages)
        if not schema.names and damages:
            path, first = damages[0]
            where = f"{path}, {first.place}" if first.place else path
            more = f"; in all, {len(damages):,} places cannot be read" if len(damages) > 1 else ""
            raise InputError(
                f"nothing in this source can be read: {first.what}{more}",
                where=where,
                fix="Its files may be cut off, or of another kind than their names say; get them again",
            )
        return schema

    def read(self, member: str, schema: pa.Schema, on_damage: DamageHandler | None, /) -> Iterator[pa.RecordBatch]:
        return files.read_batches(self.fs, self.root + member + self.query, schema, name=member, on_damage=on_damage)

    def _unified(self, damages: list[tuple[str, Damage]] | None) -> pa.Schema:
        """Join the columns of all files. Faults are added to `damages`; without it, the first one raises."""

        def note(path: str, damage: Damage | Passed) -> None:
            if damages is not None and isinstance(damage, Damage) and len(damages) < MOST_FAULTS:
                damages.append((path, damage))

        def columns(path: str) -> pa.Schema:
            handler = None if damages is None else partial(note, path)
            return files.read_schema(self.fs, path + self.query, on_damage=handler)

        schemas = ((path, columns(path)) for path in bar(self.paths, unit=" files", what="columns"))
        # A row of JSON may leave a field out, so a file may, too. Files of other kinds declare their columns.
        kinds = {path: kind_of(path) for path in self.paths}
        gaps = frozenset(path for path in self.paths if kinds[path] == ".jsonl")
        loose = frozenset(path for path in self.paths if kinds[path] in (".jsonl", ".csv"))
        known = ((path, schema) for path, schema in schemas if schema.names or damages is None)
        return unified(known, gaps=gaps, loose=loose)

    def batches(self, text: str = "", names: Iterable[str] = ()) -> Iterator[pa.RecordBatch]:
        schema = with_roles(self.schema, text, names)
        for member in self.members:
            yield from self.read(member, schema, None)


def open_source(uri: str) -> Source:
    """Open a path, folder or fsspec URL, `hf://datasets/OWNER/NAME@REVISION[[/CONFIG]/SPLIT]`, or
    `installed-docs[:NAME,…]`.

    Raise InputError if the source is missing or has no file of a known kind, if a hub revision is not pinned, or if a
    distribution is not installed.
    """
    if uri.partition(":")[0] == installed.NAME:
        return installed.parse(uri)
    if uri.startswith(huggingface.PREFIX):
        return huggingface.parse(uri)
    try:
        fs, path = fsspec.core.url_to_fs(uri)
        if not fs.exists(path):
            raise InputError("no such file or folder", where=uri, fix="Check the path, or the store's credentials")
        if fs.isfile(path):
            return _single(fs, path, uri)
        found = list_files(fs, path, uri)
    except (ImportError, PermissionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"this source cannot be opened: {error}", where=uri, fix="Check the path, and the right to read it"
        ) from error
    if not found.files:
        raise _unknown(uri, found.passed)
    return FileSource(without_secrets(uri), f"{path.rstrip('/')}/", found.files, fs, found.passed)


def _single(fs: Any, path: str, uri: str) -> FileSource:
    bare = without_query(path)
    if not kind_of(bare):
        raise _unknown(uri, ())
    root = bare[: bare.rstrip("/").rfind("/") + 1]
    return FileSource(without_secrets(uri), root, (bare.removeprefix(root),), fs, query=path.removeprefix(bare))


def _unknown(uri: str, passed: tuple[Passed, ...]) -> InputError:
    return InputError(
        "no file of a known kind" + (f"; passed over: {listed(passed)}" if passed else ""),
        where=uri,
        fix=f"Give {', '.join(KINDS)} files; {', '.join(PACKINGS)} may follow {', '.join(PACKED)}",
    )
