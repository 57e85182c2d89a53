"""Read and write files and folders on a disk or in an object store, by path or any fsspec URL."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from assay.errors import InputError
from assay.storage.reading import clear_permission_errors
from assay.storage.staging import clear_disk_errors, flush, make_folder, staged_file, staged_folder


def _open(url: str) -> tuple[Any, str]:
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"no such kind of place: {error}", where=url, fix="Give a path, or a URL like s3://… or gs://…"
        ) from error
    return fs, path


def local_path(url: str) -> Path | None:
    """Return the local path of a URL, or None if it names an object store."""
    fs, path = _open(url)
    return Path(path) if isinstance(fs, LocalFileSystem) else None


def join(url: str, *names: str) -> str:
    """Return the URL of a name below a folder."""
    return "/".join([url.rstrip("/"), *names])


def exists(url: str) -> bool:
    """Return True if a file or folder exists now."""
    fs, path = _open(url)
    fs.invalidate_cache()  # s3fs and gcsfs cache listings, and other processes write too
    return bool(fs.exists(path))


def require_folder(url: str) -> None:
    """Raise InputError if a file exists at this URL. A folder, or nothing yet, is accepted."""
    fs, path = _open(url)
    fs.invalidate_cache()
    with clear_permission_errors(url):
        file = fs.isfile(path)
    if file:
        raise InputError("this is a file, and a folder is needed", where=url, fix="Name the folder")


def read_bytes(url: str) -> bytes:
    """Return the bytes of a file. Raise FileNotFoundError if it does not exist."""
    fs, path = _open(url)
    with clear_permission_errors(url):
        return bytes(fs.cat_file(path))


@contextmanager
def open_binary(url: str) -> Iterator[Any]:
    """Yield a seekable file that fetches only the parts that are read. Raise FileNotFoundError if it does not exist."""
    fs, path = _open(url)
    with clear_permission_errors(url):
        file = fs.open(path, "rb")
    with file:
        yield file


@contextmanager
def open_ranges(url: str) -> Iterator[Any]:
    """Yield a seekable file that fetches exactly what is read, and nothing ahead. Its state is that of now.

    For files of which little is read: a footer, a row group, a column. Raise FileNotFoundError if it does not exist.
    """
    fs, path = _open(url)
    if isinstance(fs, LocalFileSystem):
        with open_binary(url) as file:
            yield file
        return
    fs.invalidate_cache(path)  # a listing of before has the state of before
    with clear_permission_errors(url):
        file = fs.open(path, "rb", cache_type="none")
    with file:
        yield file


def state_of(file: Any) -> str:
    """Return a text that changes when another program changes or replaces an open file. Empty if unknown.

    On a disk it is made of inode, size and times, which are those of now. In an object store it is made of the entity
    tag or generation, which are those of the moment at which the file was opened.
    """
    with suppress(AttributeError, OSError):
        found = os.fstat(file.fileno())
        return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    details = getattr(file, "details", None) or {}
    known = [str(details[name]) for name in ("ETag", "generation", "md5Hash", "etag") if details.get(name)]
    return " ".join([*known, str(details.get("size"))]) if known else ""


def write_bytes(url: str, data: bytes) -> None:
    """Write or replace a file. A reader sees the old bytes or the new ones, never a part."""
    if path := local_path(url):
        with staged_file(path) as partial:
            partial.write_bytes(data)
        return
    fs, name = _open(url)
    fs.pipe_file(name, data)  # one PUT: an object store shows an object only when it is complete


@contextmanager
def published_file(url: str) -> Iterator[Path]:
    """Yield a local path to write to. The file appears at `url` when the block ends, complete or not at all."""
    if path := local_path(url):
        with staged_file(path) as partial:
            yield partial
        return
    fs, name = _open(url)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        file = Path(scratch) / "new"
        yield file
        fs.put_file(str(file), name)  # an object store shows an object only when it is complete


def create(url: str, data: bytes) -> None:
    """Write a file that must not exist yet. Of several writers exactly one succeeds.

    Raise FileExistsError for the others. On a disk this is a hard link, in an object store a conditional PUT.
    """
    if path := local_path(url):
        # Opening the file itself with O_EXCL would show it to readers before its bytes are written.
        partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"
        with clear_disk_errors(path):
            make_folder(path.parent)
            try:
                partial.write_bytes(data)
                flush(partial)
                os.link(partial, path)
                flush(path.parent)
            finally:
                partial.unlink(missing_ok=True)
        return
    fs, name = _open(url)
    fs.pipe_file(name, data, mode="create")


def list_names(url: str) -> list[str]:
    """Return the names directly below a folder, sorted. Empty if it does not exist. Hidden names, which are used while
    a file is written, are left out."""
    fs, path = _open(url)
    fs.invalidate_cache()
    try:
        with clear_permission_errors(url):
            names = [entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name and not name.startswith("."))


def upload_folder(folder: Path, url: str, *, last: str) -> None:
    """Copy a local folder to a new place. The same content may be copied again.

    On a disk the folder appears by one rename. In an object store the file `last` is written last: readers treat the
    folder as missing without it.
    """
    if path := local_path(url):
        if not (path / last).exists():
            # If several processes copy the same content at once, the first copy stays. A broken folder is replaced.
            with staged_folder(path, replace=path.exists(), keep=True) as partial:
                shutil.copytree(folder, partial, dirs_exist_ok=True)
        return
    fs, name = _open(url)
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    for file in [*(f for f in files if f != last), last]:
        fs.put_file(str(folder / file), f"{name}/{file}")


def download_folder(url: str, folder: Path) -> None:
    """Copy a folder to a new local one, which appears when it is complete."""
    fs, name = _open(url)
    name = name.rstrip("/")
    with staged_folder(folder) as partial:
        for file in fs.find(name):
            target = partial / file[len(name) :].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(file, str(target))


@contextmanager
def published_folder(url: str, *, last: str, replace: bool = False, keep: bool = False) -> Iterator[Path]:
    """Yield a local folder to fill. It appears at `url` when the block ends, in an object store with `last` last.

    Raise InputError if it exists already. `replace` and `keep` work as in `staged_folder`.
    """
    if path := local_path(url):
        with staged_folder(path, replace=replace, keep=keep) as partial:
            yield partial
        return
    if exists(join(url, last)) and not (replace or keep):
        raise InputError("the output exists already", where=url, fix="Remove it, or name another")
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        folder = Path(scratch) / "new"
        folder.mkdir()
        yield folder
        upload_folder(folder, url, last=last)


@contextmanager
def localize(url: str) -> Iterator[Path]:
    """Yield a folder as a local path: the folder itself on a disk, else a copy for the duration of the block."""
    if path := local_path(url):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        folder = Path(scratch) / "copy"
        download_folder(url, folder)
        yield folder
