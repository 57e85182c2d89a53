"""Immutable versions of models in a folder or an object store.

    <url>/versions/<version>/model/…        the model folder
    <url>/versions/<version>/version.json   written last: a version without it does not exist
    <url>/aliases/<name>/00000001.json      a move of the alias: the version, the person, the reason

The name of a version is a digest of its content, so that registering the same model again gives the same version.
"""

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.registry.aliases import AliasLog, AliasMove
from assay.storage import (
    clear_permission_errors,
    create,
    digest_file,
    digest_json,
    download_folder,
    exists,
    join,
    list_names,
    localize,
    only_known_fields,
    parse_json,
    read_bytes,
    require_time,
    upload_folder,
)

RECORD = "version.json"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
"""The names that an alias may have."""
VERSION = re.compile(r"[0-9a-f]{12}")
"""The names that a version may have: the beginning of its digest."""


@only_known_fields
@dataclass(frozen=True)
class Version:
    """A registered model, as its `version.json` describes it."""

    name: str
    """First 12 hex digits of the digest."""
    digest: str
    """Digest over the names and bytes of all files of the model folder, 64 hex digits."""
    created: str
    """Time of the registration, ISO 8601, UTC."""
    files: dict[str, str]
    """Path in the model folder -> sha256 of the file."""
    record: dict[str, Any] = field(default_factory=dict)
    """Figures and lineage that were given at registration."""


@dataclass(frozen=True)
class Registry:
    """The versions and aliases of one registry."""

    url: str
    """Path or fsspec URL of its folder, which need not exist yet."""

    def register(self, model: Path, record: Mapping[str, Any]) -> Version:
        """Copy a model folder into the registry, and return its version.

        If the same content is registered already, its record stays. If the process dies, the version does not exist,
        and the next attempt completes it. Raise InputError if the folder is empty or missing, or links to a folder.
        """
        files = _digests(model)
        if not files:
            raise InputError("there is no model in this folder", where=str(model))
        digest = digest_json(files)
        name = digest[:12]
        place = join(self.url, "versions", name)
        if not exists(join(place, RECORD)):
            when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            version = Version(name, digest, when, files, dict(record))
            # `version.json` makes the version visible. `last` only tells a complete copy from a broken one.
            upload_folder(model, join(place, "model"), last=max(files))
            # Another process may register the same content at the same time: the first record stays.
            with suppress(FileExistsError):
                create(join(place, RECORD), json.dumps(asdict(version), indent=2, ensure_ascii=False).encode())
        return self._read(name)

    def _read(self, name: str) -> Version:
        # An alias's log is a file that somebody may have edited: no name but a digest becomes a part of a path.
        if not VERSION.fullmatch(name):
            raise InputError(
                f"{name!r} is no version", where=self.url, fix="Restore the log of the alias that names it"
            )
        where = join(self.url, "versions", name, RECORD)
        about = {"what": "this version's record", "where": where, "fix": "Restore it"}
        try:
            data = read_bytes(where)
        except FileNotFoundError as error:
            raise InputError(f"the record of version {name} is missing", where=where, fix="Restore it") from error
        version = parse_json(Version, data, **about)
        require_time(version.created, **about)
        if version.name != name or version.digest[: len(name)] != name:
            raise InputError(
                f"this version's record is not what was written: it is about {version.name}, digest "
                f"{version.digest[:12]}",
                where=where,
                fix="Restore it",
            )
        return version

    def versions(self, skipped: list[str] | None = None) -> list[Version]:
        """Return all complete versions, the oldest first.

        Raise InputError if a record cannot be read. With `skipped`, its message is added to that list instead, and the
        other versions are returned.
        """
        found = []
        for name in self._names():
            if not exists(join(self.url, "versions", name, RECORD)):
                continue  # a registration that runs, or that died
            try:
                found.append(self._read(name))
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
        return sorted(found, key=lambda version: (version.created, version.name))

    def _names(self) -> list[str]:
        return [name for name in list_names(join(self.url, "versions")) if VERSION.fullmatch(name)]

    def get(self, name: str) -> Version:
        """Return the version with this alias, this name, or a name that begins with these six or more characters.

        Raise InputError if there is none, or more than one.
        """
        if NAME.fullmatch(name) and (move := self.alias(name)):
            return self._read(move.version)
        known = self._names()
        found = [version for version in known if version == name or (len(name) >= 6 and version.startswith(name))]
        found = [version for version in found if exists(join(self.url, "versions", version, RECORD))]
        if len(found) != 1:
            there = [*list_names(join(self.url, "aliases")), *known]
            # Versions without a champion: the gates have refused each of them.
            promoted = "" if name != "champion" or not known else "None was promoted; see why in their reports. "
            raise InputError(
                f"{'no version' if not found else 'more than one version'} {name!r}",
                where=self.url,
                fix=f"{promoted}Name one of: {', '.join(there) or '(the registry is empty)'}",
            )
        return self._read(found[0])

    def fetch(self, name: str, folder: Path) -> Version:
        """Verify a version's model and copy it to a new local folder.

        Raise InputError if the model is not what was registered; then no folder is made.
        """
        version = self.get(name)
        with self._verified(version) as model:
            if folder.exists():
                raise InputError("the output exists already", where=str(folder), fix="Remove it, or name another")
            download_folder(str(model), folder)
        return version

    @contextmanager
    def open(self, name: str) -> Iterator[Path]:
        """Verify a version's model, and yield its folder as a local path for the duration of the block."""
        with self._verified(self.get(name)) as model:
            yield model

    @contextmanager
    def _verified(self, version: Version) -> Iterator[Path]:
        place = join(self.url, "versions", version.name, "model")
        with localize(place) as model:
            # All files of the folder, not those of the list: the list is a file beside the model, and names no files
            # that somebody added. The digest is bound to the name of the version.
            if fault := _fault(version, _digests(model)):
                raise InputError(fault, where=place, fix="Restore it, or register the model again")
            yield model

    def alias(self, name: str) -> AliasMove | None:
        """Return the last move of an alias, or None if it was never moved. Raise InputError if it cannot be read."""
        return self._log(name).last()

    def history(self, name: str, skipped: list[str] | None = None) -> list[AliasMove]:
        """Return all moves of an alias, the oldest first. `skipped` works as in `versions`."""
        return self._log(name).history(skipped)

    def move_alias(
        self,
        name: str,
        version: str,
        *,
        who: str,
        why: str,
        evidence: Mapping[str, Any],
        after: AliasMove | None,
        previous: str = "",
    ) -> AliasMove:
        """Move an alias, as was decided when `after` was its last move, and return the move.

        Raise InputError if `after` is no longer the last move, if the alias has no valid name, or if the version is
        unknown. `previous` is the version that the alias `previous` names from then on, in the champion's log.
        """
        return self._log(name).move(
            self.get(version).name, who=who, why=why, evidence=evidence, after=after, previous=previous
        )

    def ensure_alias(self, name: str, version: str, *, who: str, why: str) -> AliasMove:
        """Return the last move of an alias. If it was never moved, move it to `version` first."""
        current = self.alias(name)
        if current is None:
            try:
                return self._log(name).move(self.get(version).name, who=who, why=why, evidence={}, after=None)
            except InputError:
                current = self.alias(name)
                if current is None:  # no other process moved it first: the error is another one
                    raise
        return current

    def _log(self, name: str) -> AliasLog:
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no alias", fix="Use lower-case letters, digits, - and _, a letter first")
        return AliasLog(join(self.url, "aliases", name))


def _digests(model: Path) -> dict[str, str]:
    """Return the path in a model folder -> sha256 of each file. A link to a file is the file that it names.

    Raise InputError for a link to a folder, or to nothing: what is behind it would be no part of the version.
    """
    found = {}
    for path in sorted(model.rglob("*")):
        if path.is_file():
            found[path.relative_to(model).as_posix()] = digest_file(path)
        elif path.is_symlink():
            raise InputError("this is a link to a folder, or to nothing", where=str(path), fix="Copy what it names")
    return found


def _fault(version: Version, files: Mapping[str, str]) -> str:
    """Return what differs between a version and the files of its folder, for people. Empty if nothing does."""
    for name in version.files:
        if files.get(name) != version.files[name]:
            return f"{name} is missing or not what was registered"
    if digest_json(dict(files)) == version.digest:
        return ""  # earlier releases did not list files that were links; the digest covers them
    added = [name for name in files if name not in version.files]
    return f"{added[0]} was not registered" if added else "the list of its files is not what was written"


@contextmanager
def open_model(name: str, registry: str) -> Iterator[Path]:
    """Yield a model folder for the duration of the block. `name` is its path, or a version or alias of a registry.

    Raise InputError if neither exists.
    """
    with clear_permission_errors(name):
        folder = Path(name).exists()
    if folder:
        yield Path(name)
        return
    with Registry(registry).open(name) as kept:
        yield kept
