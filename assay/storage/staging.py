"""Outputs that appear whole or not at all: written beside their place, then renamed into it."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import InputError


def _beside(path: Path) -> Path:
    """A fresh hidden name in the same folder, so that the rename cannot cross a file system."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"cannot make the folder {path.parent}: {error.strerror}",
            fix="Choose another place for the output",
        ) from error
    return path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; rename it onto `path` at the end, or remove it when the body raises."""
    partial = _beside(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a folder to fill; rename it to `path` at the end, or remove it when the body raises.

    Raises InputError before any work where `path` exists and `replace` is not set.
    """
    if path.exists() and not replace:
        raise InputError("the output exists already", where=str(path), fix="Remove it, or name another")
    partial = _beside(path)
    try:
        partial.mkdir()
        yield partial
        if path.exists():
            # A folder cannot be renamed over a full one; the old one steps aside first and is lost last.
            aside = _beside(path)
            path.rename(aside)
            partial.rename(path)
            shutil.rmtree(aside)
        else:
            os.rename(partial, path)  # noqa: PTH104 (fails where another process made `path`: never merges)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
