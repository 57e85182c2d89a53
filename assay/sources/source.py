"""Open sources of rows: one interface over files on a disk, in an object store, or on a hub."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from assay.errors import InputError
from assay.progress import bar
from assay.sources import files, huggingface, installed
from assay.sources.damage import DamageHandler
from assay.sources.schemas import unified
from assay.storage import digest_file, digest_json


class Source(Protocol):
    """A source of rows at one revision."""

    @property
    def uri(self) -> str:
        """Path or URL as the user wrote it."""

    @property
    def revision(self) -> str:
        """Text that changes whenever the content may have changed. Computed without parsing the content."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in a fixed order. Raise InputError with the file and row that cannot be read."""

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
    root: str
    """Common start of all paths."""
    members: tuple[str, ...]
    """Paths below the folder, or the name of the file."""
    fs: Any
    """fsspec file system that holds the files."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.root + member for member in self.members)

    @property
    def revision(self) -> str:
        """Content digest of local files; the store's own checksum (ETag, generation) of remote ones."""
        return digest_json({path: self._checksum(path) for path in self.paths})

    def _checksum(self, path: str) -> str:
        if isinstance(self.fs, LocalFileSystem):
            return digest_file(Path(path))
        return str(self.fs.checksum(path))

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of all files together, known before the first row is read.

        Reads the footer of every Parquet file, and all rows of JSONL. Raise InputError with the names of two files
        whose columns conflict.
        """
        return self._unified(tolerant=False)

    @cached_property
    def readable_schema(self) -> pa.Schema:
        return self._unified(tolerant=True)

    def read(self, member: str, schema: pa.Schema, on_damage: DamageHandler | None, /) -> Iterator[pa.RecordBatch]:
        return files.read_batches(self.fs, self.root + member, schema, name=member, on_damage=on_damage)

    def _unified(self, *, tolerant: bool) -> pa.Schema:
        paths = bar(self.paths, unit=" files", what="columns")
        schemas = ((path, files.read_schema(self.fs, path, tolerant=tolerant)) for path in paths)
        # A row of JSONL may leave a field out, so a file may, too. Files of other kinds declare their columns.
        gaps = frozenset(path for path in self.paths if files.kind_of(path) == ".jsonl")
        return unified(((path, schema) for path, schema in schemas if schema.names or not tolerant), gaps=gaps)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for member in self.members:
            yield from self.read(member, self.schema, None)


def _check_permissions(path: str) -> None:
    """Raise PermissionError if a folder below `path` cannot be listed."""
    # fsspec treats such a folder as empty, so that its documents would be missing without an error.

    def refuse(error: OSError) -> None:
        if isinstance(error, PermissionError):
            raise error

    for _ in os.walk(path, onerror=refuse):
        pass


def open_source(uri: str) -> Source:
    """Open a path, folder or fsspec URL, `hf://datasets/OWNER/NAME@REVISION[/SPLIT]`, or `installed-docs[:NAME,…]`.

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
        if isinstance(fs, LocalFileSystem):
            _check_permissions(path)
        found = [path] if fs.isfile(path) else sorted(name for name in fs.find(path) if files.kind_of(name))
    except (ImportError, PermissionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"this source cannot be opened: {error}", where=uri, fix="Check the path, and the right to read it"
        ) from error
    if not found or not all(files.kind_of(name) for name in found):
        raise InputError(
            "no file of a known kind",
            where=uri,
            fix=f"Give {', '.join(files.KINDS)} files; .gz and .zst may follow {', '.join(files.PACKED)}",
        )
    root = path.rstrip("/")
    root = root[: root.rfind("/") + 1] if found == [path] else f"{root}/"
    return FileSource(uri, root, tuple(name.removeprefix(root) for name in found), fs)
