"""The `.dvc` file of a snapshot, with which DVC versions it. DVC itself is not needed to write it.

The format is that of DVC 3: https://doc.dvc.org/user-guide/project-structure/dvc-files. The digest of a folder is the
MD5 of the JSON list of its files, each with MD5 and relative path, sorted by path.
"""

import hashlib
import json
from pathlib import Path

import yaml

from assay.errors import InputError
from assay.storage.objects import local_path
from assay.storage.reading import clear_permission_errors
from assay.storage.snapshot import Snapshot
from assay.storage.staging import staged_file


def write_dvc(snapshot: Snapshot) -> Path:
    """Write `NAME.dvc` beside the folder NAME of a snapshot, replacing an earlier one, and return its path.

    It holds the digest of the folder as DVC computes it and, as metadata, the snapshot's version and its number of
    documents. All bytes are read once. Raise InputError if the snapshot is not on this machine or cannot be read.
    """
    folder = local_path(snapshot.url)
    if folder is None:
        raise InputError(
            "this snapshot is not on this machine, and a .dvc file is written beside its folder",
            where=snapshot.url,
            fix="Copy it, or run `dvc import-url`",
        )
    folder = folder.absolute()
    files = [path for path in folder.rglob("*") if path.is_file()]
    out = {
        "md5": f"{_digest(folder, files)}.dir",
        "size": sum(path.stat().st_size for path in files),
        "nfiles": len(files),
        "hash": "md5",
        "path": folder.name,
    }
    meta = {"snapshot": snapshot.manifest.version, "documents": snapshot.manifest.rows}
    place = folder.with_name(f"{folder.name}.dvc")
    with staged_file(place) as partial:
        partial.write_text(yaml.safe_dump({"outs": [out], "meta": meta}, sort_keys=False), encoding="utf-8")
    return place


def _digest(folder: Path, files: list[Path]) -> str:
    listed = [{"md5": _md5(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    listed.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _md5(path: Path) -> str:
    with clear_permission_errors(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
