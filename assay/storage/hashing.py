"""Digests of content: two files, folders or values with one digest are the same."""

import hashlib
import json
from pathlib import Path
from typing import Any

from assay.storage.reading import clear_permission_errors


def digest_json(value: Any) -> str:
    """Return the sha256 (64 hex digits) of a JSON value in canonical form: sorted keys, no spaces, no NaN."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 (64 hex digits) of a file's bytes. Raise InputError if it may not be read."""
    with clear_permission_errors(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder(path: Path) -> str:
    """Return the sha256 (64 hex digits) over the relative names and bytes of all files below a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest_json({file.relative_to(path).as_posix(): digest_file(file) for file in files})
