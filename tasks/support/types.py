"""Types of the folders that tasks pass on, which key caches by their content."""

from pathlib import Path
from typing import Annotated

from flytekit import FlyteContextManager, HashMethod
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.storage import Snapshot, digest_folder


def stored_folder(path: Path) -> FlyteDirectory:
    """Return a folder as an output, below the raw-output prefix of the run."""
    # flytekit 1.16 leaves folders and files of a local run where they are, even if the prefix is in an object store,
    # unless they have a remote place of their own.
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return FlyteDirectory(str(path), remote_directory=access.get_random_remote_directory())
    return FlyteDirectory(str(path))


def stored_file(path: Path) -> FlyteFile:
    """Return a file as an output, as `stored_folder`."""
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return FlyteFile(str(path), remote_path=access.get_random_remote_path(path.name))
    return FlyteFile(str(path))


def place_of(folder: FlyteDirectory) -> str:
    """Return the path or URL of a folder without downloading it: corpora are read where they are."""
    return str(folder.remote_source or folder.path)


def _snapshot_version(folder: FlyteDirectory) -> str:
    return Snapshot.open(place_of(folder)).manifest.version


def _folder_digest(folder: FlyteDirectory) -> str:
    return digest_folder(Path(folder.path))


# Without a HashMethod the cache key of a folder is its URI, which is random.
SnapshotFolder = Annotated[FlyteDirectory, HashMethod(_snapshot_version)]
ModelFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
SetFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""Folder of a StoredSet."""
MeasuredFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""Folder with evaluation and report by a further rubric."""
BentoFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
