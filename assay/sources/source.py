"""Where rows come from: one interface over files of every kind, on a disk, in an object store, or on a hub."""

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
from assay.sources.damage import Tell
from assay.sources.schemas import unified
from assay.storage import digest_file, digest_json


class Source(Protocol):
    """Rows from one place, at one revision."""

    @property
    def uri(self) -> str:
        """The place, as the user named it."""

    @property
    def revision(self) -> str:
        """Changes whenever the content may have changed; costs a look at the source, not a parse."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in a fixed order. Raises InputError naming file and row where one cannot be read."""

    @property
    def members(self) -> tuple[str, ...]:
        """Names of what can be read apart, files for one, in the order of `batches`."""

    @property
    def readable_schema(self) -> pa.Schema:
        """The columns of all members together; a file or line that cannot be read has no say."""

    def read(self, member: str, schema: pa.Schema, damaged: Tell, /) -> Iterator[pa.RecordBatch]:
        """The rows of one member as far as they can be read, with the columns of `schema`, the readable one."""


@dataclass(frozen=True)
class FileSource:
    """Files of the kinds that `files` reads: one, or all such files below a folder, in the order of their names."""

    uri: str
    root: str
    """What all paths begin with."""
    members: tuple[str, ...]
    """Paths below the folder, or the file's name."""
    fs: Any

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
        """The columns of all files together, found before the first row is read.

        Costs a look at every footer of Parquet, and one reading of JSONL. Raises InputError naming two files
        whose columns differ in more than what one of them never fills.
        """
        return self._unified(tolerant=False)

    @cached_property
    def readable_schema(self) -> pa.Schema:
        return self._unified(tolerant=True)

    def read(self, member: str, schema: pa.Schema, damaged: Tell | None, /) -> Iterator[pa.RecordBatch]:
        return files.read_batches(self.fs, self.root + member, schema, name=member, damaged=damaged)

    def _unified(self, *, tolerant: bool) -> pa.Schema:
        looked_at = bar(self.paths, unit=" files", what="columns")
        schemas = ((path, files.read_schema(self.fs, path, tolerant=tolerant)) for path in looked_at)
        gaps = frozenset(path for path in self.paths if files.kind_of(path) == ".jsonl")
        return unified(((path, schema) for path, schema in schemas if schema.names or not tolerant), gaps=gaps)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for member in self.members:
            yield from self.read(member, self.schema, None)


def _look_into_all(path: str) -> None:
    """Raises PermissionError for a folder that fsspec would take for an empty one, its documents missing unnoticed."""

    def refuse(error: OSError) -> None:
        if isinstance(error, PermissionError):
            raise error

    for _ in os.walk(path, onerror=refuse):
        pass


def open_source(uri: str) -> Source:
    """Open a path, folder or fsspec URL, `hf://datasets/OWNER/NAME@REVISION[/SPLIT]`, or `installed-docs[:NAME,…]`.

    Raises InputError where nothing is there, nothing of a known kind is there, a hub revision is not pinned, or a
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
            _look_into_all(path)
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
