"""Datasets for what Assay keeps in folders. A folder is replaced as a whole, when the new one is complete."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from assay.labels import StoredSet
from assay.storage import staged_folder


class NewFolder:
    """A place in a temporary folder, where a node writes a folder for the catalog. It is removed after saving."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="assay-")
        self.path = Path(self._temporary.name) / "new"
        """Path that does not exist yet."""
        self.scratch = Path(self._temporary.name) / "scratch"
        """Folder for files that are not saved."""
        self.scratch.mkdir()

    def remove(self) -> None:
        """Remove the temporary folder."""
        self._temporary.cleanup()


class FolderDataset(AbstractDataset[NewFolder, Path]):
    """A folder on this machine: a model, a selection, snapshots. It is loaded as its path."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.path = Path(filepath)
        self.metadata = metadata

    def save(self, data: NewFolder) -> None:
        """Replace the folder by a new one."""
        with staged_folder(self.path, replace=True) as partial:
            shutil.copytree(data.path, partial, dirs_exist_ok=True)
        data.remove()

    def load(self) -> Path:
        """Return the path. Raise DatasetError if no folder exists there."""
        if not self._exists():
            raise DatasetError(f"no folder {self.path}. Run the node that makes it, or name another in catalog.yml")
        return self.path

    def _exists(self) -> bool:
        return self.path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path)}


class LabelledSetsDataset(AbstractDataset[Sequence[StoredSet], list[StoredSet]]):
    """Labelled sets, the main rubric's first, each with its snapshot in a folder named by its number."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.path = Path(filepath)
        self.metadata = metadata

    def save(self, data: Sequence[StoredSet]) -> None:
        """Replace the sets."""
        with staged_folder(self.path, replace=True) as partial:
            for number, each in enumerate(data):
                each.write(partial / str(number))

    def load(self) -> list[StoredSet]:
        """Return the sets. Raise DatasetError if there is none."""
        if not self._exists():
            raise DatasetError(f"no labels in {self.path}. Run the node that makes them")
        return [StoredSet.read(self.path / str(number)) for number in range(len(list(self.path.iterdir())))]

    def _exists(self) -> bool:
        return self.path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path)}
