"""Outputs that appear whole or not at all: written beside their place, then renamed into it."""

import errno
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.errors import InputError

CANNOT_WRITE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG),
    *(errno.EISDIR, errno.ENAMETOOLONG),
}
"""What a disk says that no user can do without being told: full, over quota, read-only, not theirs, no place for a
file."""
TOLD = re.compile(r"(?:os error|\[Errno) (\d+)")


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """What a disk says while something is written to it, as an InputError: full, over quota, read-only."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _number(error)
        if number not in CANNOT_WRITE:
            raise
        raise InputError(
            f"cannot write: {os.strerror(number)}",
            where=str(path),
            fix="Make room or choose another place, and run the same command again",
        ) from error


def _number(error: BaseException | None) -> int:
    """What the disk said, also where a library wrapped it: torch keeps the cause, safetensors and shutil its words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if found := TOLD.search(str(error)):
            return int(found.group(1))
        error = error.__context__
    return 0


@contextmanager
def _partial(path: Path, *, folder: bool) -> Iterator[Path]:
    """A fresh hidden place in the same folder, so that the rename cannot cross a file system; removed at the end.

    Folders on the way to it are made, and go again where nothing came to lie in them. It is locked while its process
    lives. What dead ones left for the same `path` is removed first.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    for left in path.parent.glob(f".{path.name}.????????.partial"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            finally:
                os.close(handle)
    while True:
        partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"
        make_folder(path.parent)
        try:
            partial.mkdir() if folder else partial.touch()
            handle = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:  # another process, which failed, took the empty folder away
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if partial.exists():  # else another process took it for a dead one's, before it was locked
            break
        os.close(handle)
    try:
        yield partial
    finally:
        _remove(partial)
        os.close(handle)
        with suppress(OSError):  # the first that is not empty, or was there, ends it
            for empty in made:
                empty.rmdir()


def make_folder(path: Path) -> None:
    """With those above it; stays where it is. Raises InputError where one of them is a file."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"cannot make the folder {path}: {error.strerror}", fix="Choose another place for the output"
        ) from error


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; rename it onto `path` at the end, or remove it when the body raises.

    Raises InputError where the disk is full or cannot be written.
    """
    with clear_disk_errors(path), _partial(path, folder=False) as partial:
        yield partial
        partial.replace(path)


@contextmanager
def staged_folder(path: Path, *, replace: bool = False, keep: bool = False) -> Iterator[Path]:
    """Yield a folder to fill; rename it to `path` at the end, or remove it when the body raises.

    Raises InputError before any work where `path` exists. `replace`: it makes way instead. `keep`: it stays, also one
    that another process makes meanwhile, and this one's is dropped: for content that is the same anyway.
    """
    with clear_disk_errors(path):
        if path.exists() and not (replace or keep):
            raise InputError("the output exists already", where=str(path), fix="Remove it, or name another")
    with clear_disk_errors(path), _partial(path, folder=True) as partial:
        yield partial
        if path.exists() and replace:
            # A folder cannot be renamed over a full one; the old one steps aside first and is lost last.
            with _partial(path, folder=True) as aside:
                with suppress(FileNotFoundError):  # another process had it step aside
                    path.rename(aside)
                _rename(partial, path, keep=keep)
        else:
            _rename(partial, path, keep=keep)


def _rename(partial: Path, path: Path, *, keep: bool) -> None:
    """Fails where another process made `path` meanwhile, or leaves it there: never merges."""
    try:
        os.rename(partial, path)  # noqa: PTH104
    except OSError as error:
        if not (keep and error.errno in (errno.ENOTEMPTY, errno.EEXIST)):
            raise
