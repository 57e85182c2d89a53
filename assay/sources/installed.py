"""Read the documentation in the installed Python packages: thousands of real documents, without a network.

The documents are docstrings, package descriptions and licences. They are found through the list of files that each
installer writes.
"""

import csv
import difflib
import hashlib
import itertools
import json
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, distributions
from typing import ClassVar

import pyarrow as pa

from assay.errors import InputError
from assay.progress import say
from assay.sources.damage import DamageHandler, Passed
from assay.sources.docstrings import docstrings
from assay.storage import digest_json, without_surrogates

NAME = "installed-docs"
EXTRACTION = 1
"""Part of the revision. Raise it with every change after which the same packages give other rows."""
SHORTEST = 200
"""Smallest document in characters: three lines, more than a summary line with a `:param` or two below it."""
LARGEST = 2 * 2**20
"""Largest file in bytes. Larger ones are generated code, and a syntax tree takes up to 76 times its source."""
ROWS = 2_000
"""Largest number of rows in a batch."""
SCHEMA = pa.schema({name: pa.string() for name in ("id", "text", "url", "license", "package", "kind")})

_TESTS = re.compile(r"(^|/)tests?/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")
_LICENCE = re.compile(r"(.*[-_.])?(licen[cs]es?|copying|copyright|notices?)([-_.].*)?", re.IGNORECASE)
_NO_PROSE = (".py", ".pyc", ".pyi", ".json", ".html", ".js")


class _LeftOutError(Exception):
    """A file that gives no document. The message is the reason, as part of a progress line."""


def _normal(name: str) -> str:
    """Return the normal form of a package name (PEP 503): lower case, hyphens."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@dataclass(frozen=True)
class Package:
    """One installed distribution."""

    name: str
    """Name in normal form (PEP 503)."""
    version: str
    distribution: Distribution

    def paths(self) -> list[str]:
        """Return the files relative to where they are installed, sorted. Empty if the installer wrote no list."""
        try:
            files = self.distribution.files or []
        except (csv.Error, OSError, ValueError):
            return []
        # Files that no longer exist are left out. The backport importlib_metadata, once imported, does the same by
        # itself, and the documents must not depend on whether it was imported.
        there = (file for file in files if ".." not in file.parts and not file.is_absolute())
        return sorted({file.as_posix() for file in there if os.path.exists(file.locate())})  # noqa: PTH110

    def read(self, path: str) -> str:
        """Return a file as text. Raise _LeftOutError if it cannot be opened, is too large, or is not UTF-8."""
        place = self.distribution.locate_file(path)
        try:
            with place.open("rb") as file:  # type: ignore[attr-defined]
                data = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            raise _LeftOutError("that cannot be opened") from error
        if len(data) > LARGEST:
            raise _LeftOutError(f"over {LARGEST // 2**20} MiB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _LeftOutError("not UTF-8") from error

    def documents(self, path: str) -> Iterator[tuple[str, str, str]]:
        """Yield (kind, qualified name, text) of all documents in a file, in file order."""
        name = path.rsplit("/", 1)[-1]
        if name.endswith(".py"):
            if _TESTS.search(path):
                return  # tests hold 1 % of the documents and take a fifth of the time
            source = self.read(path)
            if '"""' not in source and "'''" not in source:
                return  # parsing these took 2 s and gave no document in 6,000 files
            try:
                found = docstrings(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise _LeftOutError("that cannot be parsed") from error
            yield from (("docstring", qualified, text) for qualified, text in found)
        elif _LICENCE.fullmatch(name) and not name.endswith(_NO_PROSE):
            yield "licence", "", self.read(path).strip()


def _field(metadata: PackageMetadata, name: str) -> str:
    return str(metadata[name]).strip() if name in metadata else ""


def _licence(metadata: PackageMetadata) -> str | None:
    """Return the SPDX expression, else the name of the licence, else its classifiers; never the whole licence text."""
    if expression := _field(metadata, "License-Expression"):
        return expression
    named = _field(metadata, "License")
    # Some packages put the whole text of the licence into this field.
    if named and named != "UNKNOWN" and len(named) <= 100 and "\n" not in named:
        return named
    classifiers = [name for name in metadata.get_all("Classifier") or [] if name.startswith("License ::")]
    return ", ".join(name.rsplit(" :: ", 1)[-1] for name in classifiers) or None


@dataclass(frozen=True)
class InstalledDocs:
    """The source `installed-docs`, or `installed-docs:NAME,NAME` for these distributions only.

    Columns: `id`, `text`, `url` (`pypi:NAME==VERSION/PATH#QUALIFIED.NAME`, unique and without any local path),
    `license`, `package`, `kind` (docstring, description, licence). Rows are ordered by package, path and place in the
    file, with the description of a package first; the order does not depend on the file system. The same text in two
    places is two documents.
    """

    uri: str
    packages: tuple[Package, ...]
    """Sorted by name."""

    @property
    def revision(self) -> str:
        """Digest of names and versions, of EXTRACTION, and of the Python version, whose grammar parses the files."""
        found = [(package.name, package.version) for package in self.packages]
        return digest_json([found, platform.python_version(), EXTRACTION])

    readable_schema = SCHEMA

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the distributions."""
        return tuple(package.name for package in self.packages)

    passed: ClassVar[tuple[Passed, ...]] = ()

    def checksums(self, _members: Iterable[str]) -> dict[str, str]:
        """Return nothing: the revision pins all members."""
        return {}

    def revision_of(self, _checksums: Mapping[str, str]) -> str:
        return self.revision

    def batches(self, _text: str = "", _names: Iterable[str] = ()) -> Iterator[pa.RecordBatch]:
        yield from self._batches(self.packages)

    def read(self, member: str, _schema: pa.Schema, _on_damage: DamageHandler, /) -> Iterator[pa.RecordBatch]:
        yield from self._batches([package for package in self.packages if package.name == member])

    def _batches(self, packages: Iterable[Package]) -> Iterator[pa.RecordBatch]:
        left_out: dict[str, list[str]] = {}
        rows = (row for package in packages for row in _rows(package, left_out))
        while chunk := list(itertools.islice(rows, ROWS)):
            yield pa.RecordBatch.from_pylist(chunk, schema=SCHEMA)
        if left_out:
            reasons = ", ".join(f"{len(paths)} {reason} ({paths[0]})" for reason, paths in sorted(left_out.items()))
            say(f"{self.uri} left out {sum(map(len, left_out.values()))} files: {reasons}")


def _rows(package: Package, left_out: dict[str, list[str]]) -> Iterator[dict[str, str | None]]:
    metadata = package.distribution.metadata
    licence = _licence(metadata)

    def row(path: str, kind: str, name: str, text: str) -> dict[str, str | None]:
        place = f"{path}#{name}" if name else path
        key = json.dumps([package.name, package.version, path, name, kind])
        return {
            "id": hashlib.sha256(key.encode()).hexdigest()[:32],
            "text": without_surrogates(text),
            "url": f"pypi:{package.name}=={package.version}/{place}",
            "license": licence,
            "package": package.name,
            "kind": kind,
        }

    description = _field(metadata, "Description")
    if len(description) >= SHORTEST:
        yield row("METADATA", "description", "", description)
    for path in package.paths():
        seen: Counter[str] = Counter()
        try:
            for kind, name, text in package.documents(path):
                if len(text) >= SHORTEST:
                    # A property and its setter share a name, and so do definitions in the branches of an `if`.
                    seen[name] += 1
                    yield row(path, kind, name if seen[name] == 1 else f"{name}~{seen[name]}", text)
        except _LeftOutError as reason:
            left_out.setdefault(str(reason), []).append(path)


def installed(path: Sequence[str]) -> dict[str, Package]:
    """Return normal name -> distribution, the first one on the search path, as for an import."""
    found: dict[str, Package] = {}
    for entry in path:
        here: dict[str, Package] = {}
        for distribution in distributions(path=[entry]):
            try:
                metadata = distribution.metadata
                name, version = _field(metadata, "Name"), _field(metadata, "Version")
            except (OSError, TypeError, ValueError):
                continue  # the remains of a package that was removed in part
            if name and version:
                package = Package(_normal(name), version, distribution)
                # A broken upgrade leaves two versions in one folder, and the file system decides which is listed first.
                here[package.name] = max(here.get(package.name, package), package, key=lambda each: each.version)
        found = here | found
    return found


def parse(uri: str, path: Sequence[str] | None = None) -> InstalledDocs:
    """Return the source of a URI. `path` is the search path; by default, that of this interpreter.

    Raise InputError if a named distribution is not installed.
    """
    found = installed(sys.path if path is None else path)
    _, colon, listed = uri.partition(":")
    wanted = {_normal(name) for name in listed.split(",")} if colon else set(found)
    for name in sorted(wanted - set(found)):
        near = ", ".join(difflib.get_close_matches(name, sorted(found))) or "none"
        raise InputError(
            f"no distribution {name!r} is installed",
            where=uri,
            fix=f"Similar names that are installed: {near}. `pip list` shows all",
        )
    return InstalledDocs(uri, tuple(found[name] for name in sorted(wanted)))
