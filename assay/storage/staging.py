"""Outputs that appear complete or not at all: they are written under a hidden name and renamed at the end."""

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
"""Errors of a disk that a user can solve: full, over quota, read-only, not permitted, a folder in place of a file, a
name that is too long."""
ERRNO = re.compile(r"(?:os error|\[Errno) (\d+)")


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk while the block writes into an InputError: full, over quota, read-only."""
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
    """Return the error number of the disk, or 0. torch wraps its error as the cause, safetensors and shutil as text."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if found := ERRNO.search(str(error)):
            return int(found.group(1))
        error = error.__context__
    return 0


@contextmanager
def _partial(path: Path, *, folder: bool) -> Iterator[Path]:
    """Yield a new hidden place in the folder of `path`, and remove it at the end.

    It is in the same folder because a rename cannot cross file systems. Missing parent folders are made, and removed
    again if they stay empty. The place is locked while its process lives, so that places that dead processes left for
    the same `path` can be recognised; they are removed first.
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
        except FileNotFoundError:  # another process failed and removed the empty parent folder
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if partial.exists():  # else another process removed it as a dead one's, before it was locked
            break
        os.close(handle)
    try:
        yield partial
    finally:
        _remove(partial)
        os.close(handle)
        with suppress(OSError):  # ends at the first folder that is not empty
            for empty in made:
                empty.rmdir()


def make_folder(path: Path) -> None:
    """Make a folder and its parents if they are missing. Raise InputError if one of them is a file."""
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
    """Yield a path to write to. It is renamed to `path` at the end, or removed if the block raises.

    Raise InputError if the disk is full or cannot be written.
    """
    with clear_disk_errors(path), _partial(path, folder=False) as partial:
        yield partial
        flush(partial)
        partial.replace(path)
        flush(path.parent)


@contextmanager
def staged_folder(path: Path, *, replace: bool = False, keep: bool = False) -> Iterator[Path]:
    """Yield a folder to fill. It is renamed to `path` at the end, or removed if the block raises.

    Raise InputError before any work if `path` exists. With `replace`, it is replaced instead. With `keep`, an existing
    folder stays, also one that another process makes meanwhile, and the new one is dropped: for content that is the
    same in any case.
    """
    with clear_disk_errors(path):
        if path.exists() and not (replace or keep):
            raise InputError("the output exists already", where=str(path), fix="Remove it, or name another")
    with clear_disk_errors(path), _partial(path, folder=True) as partial:
        yield partial
        for each in (*partial.rglob("*"), partial):
            flush(each)
        if path.exists() and replace:
            # A folder cannot be renamed over one that is not empty. The old one is moved aside first and removed last.
            with _partial(path, folder=True) as aside:
                with suppress(FileNotFoundError):  # another process moved it aside
                    path.rename(aside)
                _rename(partial, path, keep=keep)
        else:
            _rename(partial, path, keep=keep)
        flush(path.parent)


def flush(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder.

    A rename may reach the disk before the bytes of the file: after a loss of power, a name that promises a complete
    file would be that of an empty one.
    """
    if path.is_symlink():  # what it names is no part of the output
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems know no such promise
            raise
    finally:
        os.close(handle)


def _rename(partial: Path, path: Path, *, keep: bool) -> None:
    """Rename a folder. If another process made `path` meanwhile, raise OSError or, with `keep`, leave that one."""
    try:
        os.rename(partial, path)  # noqa: PTH104
    except OSError as error:
        if not (keep and error.errno in (errno.ENOTEMPTY, errno.EEXIST)):
            raise
