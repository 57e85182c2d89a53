"""A labelled set as one folder, for the tasks that train several rubrics together."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from assay.errors import InputError
from assay.labels.leakage import Leakage
from assay.labels.prepare import PreparedSplit
from assay.labels.schema import LabelledDocument, Quarantined
from assay.labels.split import SplitAssignment
from assay.labels.together import LabelledSet, SplitSet
from assay.rubric import Rubric
from assay.storage import Snapshot, parse_json, staged_folder

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
            self.documents.to_parquet(partial / "documents.parquet", index=False)
            self.quarantine.to_parquet(partial / "quarantine.parquet", index=False)
            about = {"rubric": asdict(self.rubric), "leakage": asdict(self.leakage) if self.leakage else None}
            (partial / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            if self.assignment is not None:
                self.assignment.to_parquet(partial / "assignment.parquet", index=False)

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
            LabelledDocument.validate(pd.read_parquet(folder / "documents.parquet")),
            Quarantined.validate(pd.read_parquet(folder / "quarantine.parquet")),
            SplitAssignment.validate(pd.read_parquet(parts)) if parts.is_file() else None,
            about.leakage,
        )
