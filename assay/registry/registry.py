"""Immutable versions of models in a folder or an object store.

    <url>/versions/<version>/model/…        the model folder
    <url>/versions/<version>/version.json   written last: a version without it is not there
    <url>/aliases/<name>/00000001.json      who moved the alias where, and why

A version is named by its content, so that registering the same model again gives the same version.
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
    digest_folder,
    download_folder,
    exists,
    join,
    list_names,
    localize,
    read_bytes,
    upload_folder,
)

RECORD = "version.json"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@dataclass(frozen=True)
class Version:
    """A registered model."""

    name: str
    """First 12 hex digits of the digest."""
    digest: str
    """Over names and bytes of all files of the model folder, 64 hex digits."""
    created: str
    """ISO 8601, UTC."""
    files: dict[str, str]
    """Path in the model folder -> sha256."""
    record: dict[str, Any] = field(default_factory=dict)
    """What was said at registration: figures, lineage."""


@dataclass(frozen=True)
class Registry:
    """Versions and aliases below one fsspec URL; the folder need not exist yet."""

    url: str

    def register(self, model: Path, record: Mapping[str, Any]) -> Version:
        """Copy a model folder in, unless this very content is there already, whose record then stays.

        An attempt that dies leaves nothing visible, and the next one completes it. Raises InputError for an empty
        or missing folder.
        """
        files = {
            path.relative_to(model).as_posix(): digest_file(path)
            for path in sorted(model.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        if not files:
            raise InputError("there is no model in this folder", where=str(model))
        digest = digest_folder(model)
        name = digest[:12]
        place = join(self.url, "versions", name)
        if not exists(join(place, RECORD)):
            when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            version = Version(name, digest, when, files, dict(record))
            upload_folder(model, join(place, "model"), last=max(files))
            # Somebody else may be registering the same content: the first record stays.
            with suppress(FileExistsError):
                create(join(place, RECORD), json.dumps(asdict(version), indent=2, ensure_ascii=False).encode())
        return self._read(name)

    def _read(self, name: str) -> Version:
        where = join(self.url, "versions", name, RECORD)
        try:
            fields = json.loads(read_bytes(where))
            version = Version(**{**fields, "record": dict(fields.get("record", {}))})
            if datetime.datetime.fromisoformat(version.created).tzinfo is None:
                raise ValueError("its time has no time zone")
            return version
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(f"this version's record cannot be read: {error}", where=where, fix="Restore it") from error

    def versions(self, skipped: list[str] | None = None) -> list[Version]:
        """All complete versions, the oldest first. Raises InputError for a record that cannot be read; with `skipped`,
        its message is added there instead, and the others are given all the same."""
        found = []
        for name in list_names(join(self.url, "versions")):
            if not exists(join(self.url, "versions", name, RECORD)):
                continue
            try:
                found.append(self._read(name))
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
        return sorted(found, key=lambda version: (version.created, version.name))

    def get(self, name: str) -> Version:
        """By alias, by name, or by the first six or more characters of one name.

        Raises InputError where there is none, or more than one.
        """
        if NAME.fullmatch(name) and (move := self.alias(name)):
            return self._read(move.version)
        known = list_names(join(self.url, "versions"))
        found = [version for version in known if version == name or (len(name) >= 6 and version.startswith(name))]
        found = [version for version in found if exists(join(self.url, "versions", version, RECORD))]
        if len(found) != 1:
            there = [*list_names(join(self.url, "aliases")), *known]
            promoted = "" if name != "champion" or not known else "None was promoted; see why in their reports. "
            raise InputError(
                f"{'no version' if not found else 'more than one version'} {name!r}",
                where=self.url,
                fix=f"{promoted}Name one of: {', '.join(there) or '(the registry is empty)'}",
            )
        return self._read(found[0])

    def fetch(self, name: str, folder: Path) -> Version:
        """Copy a version's model to the new local folder, verified.

        Raises InputError naming the first file that is not what was registered; then there is no folder.
        """
        version = self.get(name)
        with self._verified(version) as model:
            if folder.exists():
                raise InputError("the output exists already", where=str(folder), fix="Remove it, or name another")
            download_folder(str(model), folder)
        return version

    @contextmanager
    def open(self, name: str) -> Iterator[Path]:
        """A version's model folder as a local path, verified, for the time of the block."""
        with self._verified(self.get(name)) as model:
            yield model

    @contextmanager
    def _verified(self, version: Version) -> Iterator[Path]:
        place = join(self.url, "versions", version.name, "model")
        with localize(place) as model:
            for file, expected in version.files.items():
                path = model / file
                if not path.is_file() or digest_file(path) != expected:
                    raise InputError(
                        f"{file} is missing or not what was registered", where=place, fix="Restore it, or register anew"
                    )
            yield model

    def alias(self, name: str) -> AliasMove | None:
        """Where an alias points now, and why. Raises InputError where that entry cannot be read."""
        return self._log(name).last()

    def history(self, name: str, skipped: list[str] | None = None) -> list[AliasMove]:
        """All moves of an alias, the oldest first; `skipped` as in `versions`."""
        return self._log(name).history(skipped)

    def set_alias(
        self, name: str, version: str, *, who: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> AliasMove:
        """Move an alias to a version. Raises InputError where somebody else moves it at the same time."""
        return self.move_alias(name, version, who=who, why=why, evidence=evidence or {}, after=self.alias(name))

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
        """Move an alias, as was decided when `after` was its last move. Raises InputError where it no longer is."""
        return self._log(name).move(
            self.get(version).name, who=who, why=why, evidence=evidence, after=after, previous=previous
        )

    def ensure_alias(self, name: str, version: str, *, who: str, why: str) -> AliasMove:
        """Where the alias points; to `version` where it pointed nowhere yet."""
        current = self.alias(name)
        if current is None:
            try:
                return self._log(name).move(self.get(version).name, who=who, why=why, evidence={}, after=None)
            except InputError:
                current = self.alias(name)
                if current is None:
                    raise
        return current

    def _log(self, name: str) -> AliasLog:
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no alias", fix="Use lower-case letters, digits, - and _, a letter first")
        return AliasLog(join(self.url, "aliases", name))


@contextmanager
def open_model(name: str, registry: str) -> Iterator[Path]:
    """A model folder by path, or a version or alias of a registry, for the time of the block.

    Raises InputError where there is neither.
    """
    with clear_permission_errors(name):
        folder = Path(name).exists()
    if folder:
        yield Path(name)
        return
    with Registry(registry).open(name) as kept:
        yield kept
