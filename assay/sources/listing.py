"""List the files of a folder that hold documents, and count what is passed over, by reason."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from assay.sources.damage import Passed
from assay.sources.kinds import kind_of
from assay.storage import MANIFEST

HIDDEN = "hidden: the name begins with . or _"
LINK = "a link to a folder that is read already"
NOWHERE = "a link to nothing"
OWN = "written by Assay"
BESIDE = ".json beside other kinds, which is mostly about the data"
MARKERS = ("assay.json", "_build.json", "_plan.json", "set.json")
"""Files that only folders of Assay's results have."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder."""

    files: tuple[str, ...]
    """Paths below the folder, in the order of their names."""
    passed: tuple[Passed, ...] = ()
    """What was passed over."""


class _Passing:
    """Counts by reason, with the first name of each."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self.own: set[str] = set()
        """Folders with hidden files that only results of Assay have."""

    def add(self, reason: str, name: str) -> None:
        folder, _, last = name.rpartition("/")
        if folder and last in MARKERS:
            self.own.add(folder)
        self._names.setdefault(reason, []).append(name)

    def all(self) -> tuple[Passed, ...]:
        return tuple(Passed(reason, len(names), min(names)) for reason, names in sorted(self._names.items()))


def list_files(fs: Any, root: str, uri: str, also: tuple[str, ...] = ()) -> Listing:
    """List the files below a folder that can be read, and those with the endings `also`.

    Links are followed. Names that begin with `.` or `_` are passed over, as Hive, Spark and pyarrow do, and so are
    results of Assay that were made of this folder or are no documents. Raise PermissionError if a folder cannot be
    listed.
    """
    passing = _Passing()
    local = isinstance(fs, LocalFileSystem)
    paths = sorted(_local(root, passing) if local else _remote(fs, root, passing))
    own = _results(fs, root, uri, paths) | passing.own
    found, own_seen = [], set[str]()
    for path in paths:
        folder = next((parent for parent in _parents(path) if parent in own), None)
        if folder is not None:
            if folder not in own_seen:
                own_seen.add(folder)
                passing.add(OWN, f"{folder}/")
        elif (path.lower().endswith(also) if also else False) or kind_of(path):
            found.append(path)
        else:
            name = path.rsplit("/", 1)[-1]
            passing.add(f"another kind: {_ending(name)}", path)
    if any(kind_of(path) and not _bare_json(path) for path in found):
        for path in filter(_bare_json, found):
            passing.add(BESIDE, path)
        found = [path for path in found if not _bare_json(path)]
    return Listing(tuple(found), passing.all())


def _bare_json(path: str) -> bool:
    return path.lower().endswith(".json")


def _ending(name: str) -> str:
    _, dot, ending = name.rpartition(".")
    return f".{ending[:10].lower()}" if dot else "no ending"


def _parents(path: str) -> Iterator[str]:
    """Yield the folders of a path, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def is_hidden(name: str) -> bool:
    """Return True for names that Hive and Spark pass over. `_year=2026` is a partition."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _local(root: str, passing: _Passing) -> Iterator[str]:
    """Yield the files below a folder, each folder once. Folders come before links to them."""
    visited: set[tuple[int, int]] = set()
    links: list[str] = []

    def refuse(error: OSError) -> None:
        if isinstance(error, PermissionError):
            raise error

    def below(start: str) -> Iterator[str]:
        # A folder that cannot be listed would count as empty without an error.
        for place, folders, names in os.walk(start, onerror=refuse):
            status = os.stat(place)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in visited:
                passing.add(LINK, os.path.relpath(place, root))
                folders.clear()
                continue
            visited.add((status.st_dev, status.st_ino))
            kept = []
            for name in sorted(folders):
                path = os.path.join(place, name)  # noqa: PTH118
                if is_hidden(name):
                    passing.add(HIDDEN, f"{os.path.relpath(path, root)}/")
                elif os.path.islink(path):  # noqa: PTH114
                    links.append(path)
                else:
                    kept.append(name)
            folders[:] = kept
            for name in names:
                path = os.path.relpath(os.path.join(place, name), root)  # noqa: PTH118
                if is_hidden(name):
                    passing.add(HIDDEN, path)
                elif os.path.exists(os.path.join(place, name)):  # noqa: PTH110, PTH118
                    yield path
                else:
                    passing.add(NOWHERE, path)

    yield from below(root)
    while links:
        yield from below(links.pop(0))


def _remote(fs: Any, root: str, passing: _Passing) -> Iterator[str]:
    hidden: set[str] = set()
    for path in fs.find(root):
        name = path[len(root.rstrip("/")) :].lstrip("/")
        parts = name.split("/")
        first = next((place for place, part in enumerate(parts) if is_hidden(part)), None)
        if first is None:
            yield name
            continue
        top = "/".join(parts[: first + 1]) + ("/" if first + 1 < len(parts) else "")
        if top not in hidden:
            hidden.add(top)
            passing.add(HIDDEN, top)


def _results(fs: Any, root: str, uri: str, paths: list[str]) -> set[str]:
    """Return the folders below a folder that hold results of Assay which are not its documents."""
    found = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if not folder:
            continue
        if name in MARKERS or (name == MANIFEST and _made_of(fs, f"{root.rstrip('/')}/{path}", uri, root)):
            found.add(folder)
    return found


def _made_of(fs: Any, path: str, uri: str, root: str) -> bool:
    """Return True if a file is the manifest of a snapshot that was made of this source."""
    try:
        manifest = json.loads(fs.cat_file(path))
        if not {"version", "shards"} <= set(manifest):
            return False
        sources = [str(source["uri"]).rstrip("/") for source in manifest["provenance"]["sources"]]
    except (OSError, ValueError, KeyError, TypeError):
        return False  # a manifest of another tool
    return any(source in (uri.rstrip("/"), root.rstrip("/")) or _same(source, root) for source in sources)


def _same(source: str, root: str) -> bool:
    return "://" not in source and os.path.realpath(source) == os.path.realpath(root)
