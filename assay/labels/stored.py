"""A labelled set as one folder, for the tasks that train several rubrics together."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.labels.leakage import Leakage
from assay.labels.prepare import PreparedSplit
from assay.labels.schema import LabelledDocument, Quarantined
from assay.labels.split import SplitAssignment
from assay.labels.together import LabelledSet, SplitSet
from assay.rubric import Rubric
from assay.storage import Snapshot, parse_json, read_parquet, staged_folder, write_parquet

ABOUT = "set.json"


@dataclass(frozen=True)
class _About:
    """Content of `set.json`."""

    rubric: Rubric
    leakage: Leakage | None


@dataclass(frozen=True)
class StoredSet:
    """Documents with labels by one rubric, the rows that cannot be used and, after the split, the parts."""

    rubric: Rubric
    snapshot: Path
    """Folder of the snapshot."""
    documents: pd.DataFrame
    """Table LabelledDocument."""
    quarantine: pd.DataFrame
    """Table Quarantined."""
    assignment: pd.DataFrame | None = None
    """Table SplitAssignment. None before the split."""
    leakage: Leakage | None = None
    """Leakage of a random split. None before the split."""

    @property
    def labelled(self) -> LabelledSet:
        """The set as input of a split."""
        return LabelledSet(self.rubric, Snapshot.open(self.snapshot), self.documents)

    @property
    def divided(self) -> SplitSet:
        """The set as input of training. Raise InputError before the split."""
        if self.assignment is None:
            raise InputError("this set is not split yet", where=str(self.snapshot))
        return SplitSet(self.rubric, Snapshot.open(self.snapshot), self.documents, self.assignment)

    def split_as(self, made: PreparedSplit) -> "StoredSet":
        """Return the same set with its parts."""
        return replace(self, assignment=made.assignment, leakage=made.leakage)

    def write(self, folder: Path) -> None:
        """Write the set, with a copy of its snapshot, into a new folder."""
        with staged_folder(folder) as partial:
            shutil.copytree(self.snapshot, partial / "snapshot")
            _write(self.documents, partial / "documents.parquet")
            _write(self.quarantine, partial / "quarantine.parquet")
            about = {"rubric": asdict(self.rubric), "leakage": asdict(self.leakage) if self.leakage else None}
            (partial / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            if self.assignment is not None:
                _write(self.assignment, partial / "assignment.parquet")

    @classmethod
    def read(cls, folder: Path) -> "StoredSet":
        """Read what `write` wrote. Raise InputError if the folder holds no labelled set, or a damaged one."""
        where = str(folder)
        if not (folder / ABOUT).is_file():
            raise InputError("no labelled set in this folder", where=where, fix="Name a folder that a run has written")
        about = parse_json(_About, (folder / ABOUT).read_bytes(), what=ABOUT, where=where, fix="Make the set again")
        parts = folder / "assignment.parquet"
        return cls(
            about.rubric,
            folder / "snapshot",
            LabelledDocument.validate(_read(folder / "documents.parquet")),
            Quarantined.validate(_read(folder / "quarantine.parquet")),
            SplitAssignment.validate(_read(parts)) if parts.is_file() else None,
            about.leakage,
        )


def _write(table: pd.DataFrame, path: Path) -> None:
    write_parquet(pa.Table.from_pandas(table, preserve_index=False), path)


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_parquet(str(path)).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"this table cannot be read: {error}", where=str(path), fix="Make the set again") from error
