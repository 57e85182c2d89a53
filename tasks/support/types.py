"""Types of the outputs that tasks pass on: folders and tables, which key caches by their content."""

import hashlib
from pathlib import Path
from typing import Annotated

import pandas as pd
from flytekit import FlyteContextManager, HashMethod
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from pandera.typing import DataFrame

from assay.labels import LabelledDocument, Quarantined, SplitAssignment
from assay.metrics import BaselinePredictions, Predictions
from assay.storage import Snapshot, digest_folder
from assay.training import Curve


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


def table_digest(table: pd.DataFrame) -> str:
    """Return the sha256 over the values and the names of the columns, in their order, 64 hex digits."""
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return hashlib.sha256(hashes.tobytes() + repr(list(table.columns)).encode()).hexdigest()


# Without a HashMethod the cache key of a folder or table is its URI, which is random.
SnapshotFolder = Annotated[FlyteDirectory, HashMethod(_snapshot_version)]
ModelFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
SetFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""Folder of a StoredSet."""
MeasuredFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""Folder with evaluation and report by a further rubric."""
BentoFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
Documents = Annotated[DataFrame[LabelledDocument], HashMethod(table_digest)]
Quarantine = Annotated[DataFrame[Quarantined], HashMethod(table_digest)]
Assignment = Annotated[DataFrame[SplitAssignment], HashMethod(table_digest)]
BaselineTable = Annotated[DataFrame[BaselinePredictions], HashMethod(table_digest)]
CurveTable = Annotated[DataFrame[Curve], HashMethod(table_digest)]
PredictionTable = Annotated[DataFrame[Predictions], HashMethod(table_digest)]
