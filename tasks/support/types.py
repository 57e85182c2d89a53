"""What goes between tasks: folders and tables that are cached by their content, and a line about each stage."""

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
    """A folder as an output, below the run's raw-output prefix.

    flytekit 1.16 leaves folders and files of a local run where they are, even when that prefix is in an object
    store, unless they are told where to go.
    """
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return FlyteDirectory(str(path), remote_directory=access.get_random_remote_directory())
    return FlyteDirectory(str(path))


def stored_file(path: Path) -> FlyteFile:
    """The same for a file."""
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return FlyteFile(str(path), remote_path=access.get_random_remote_path(path.name))
    return FlyteFile(str(path))


def place_of(folder: FlyteDirectory) -> str:
    """Where a folder lies, without bringing it here: corpora are read in place."""
    return str(folder.remote_source or folder.path)


def _snapshot_version(folder: FlyteDirectory) -> str:
    return Snapshot.open(place_of(folder)).manifest.version


def _folder_digest(folder: FlyteDirectory) -> str:
    return digest_folder(Path(folder.path))


def table_digest(table: pd.DataFrame) -> str:
    """sha256 over the values and the names of the columns, in their order."""
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return hashlib.sha256(hashes.tobytes() + repr(list(table.columns)).encode()).hexdigest()


SnapshotFolder = Annotated[FlyteDirectory, HashMethod(_snapshot_version)]
ModelFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
SetFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""A StoredSet."""
MeasuredFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
"""Evaluation and report by a further rubric."""
BentoFolder = Annotated[FlyteDirectory, HashMethod(_folder_digest)]
Documents = Annotated[DataFrame[LabelledDocument], HashMethod(table_digest)]
Quarantine = Annotated[DataFrame[Quarantined], HashMethod(table_digest)]
Assignment = Annotated[DataFrame[SplitAssignment], HashMethod(table_digest)]
BaselineTable = Annotated[DataFrame[BaselinePredictions], HashMethod(table_digest)]
CurveTable = Annotated[DataFrame[Curve], HashMethod(table_digest)]
PredictionTable = Annotated[DataFrame[Predictions], HashMethod(table_digest)]
