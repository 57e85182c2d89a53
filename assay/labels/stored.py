"""A labelled set as one folder: what goes from one process to the next where several rubrics are learned together."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from assay.errors import InputError
from assay.labels.leakage import Leakage, Share
from assay.labels.prepare import PreparedSplit
from assay.labels.schema import LabelledDocument, Quarantined
from assay.labels.split import SplitAssignment
from assay.labels.together import LabelledSet, SplitSet
from assay.rubric import Rubric
from assay.storage import Snapshot, staged_folder


@dataclass(frozen=True)
class StoredSet:
    """Documents with labels by one rubric, the rows that could not be used and, once split, their parts."""

    rubric: Rubric
    snapshot: Path
    """Folder of the snapshot."""
    documents: pd.DataFrame
    """LabelledDocument."""
    quarantine: pd.DataFrame
    """Quarantined."""
    assignment: pd.DataFrame | None = None
    """SplitAssignment; None before the split."""
    leakage: Leakage | None = None
    """What a random split of it would leak; None before the split."""

    @property
    def labelled(self) -> LabelledSet:
        """What is to be split."""
        return LabelledSet(self.rubric, Snapshot.open(self.snapshot), self.documents)

    @property
    def divided(self) -> SplitSet:
        """What is learned from. Raises InputError before the split."""
        if self.assignment is None:
            raise InputError("this set was not split yet", where=str(self.snapshot))
        return SplitSet(self.rubric, Snapshot.open(self.snapshot), self.documents, self.assignment)

    def split_as(self, made: PreparedSplit) -> "StoredSet":
        """The same set, with its parts."""
        return replace(self, assignment=made.assignment, leakage=made.leakage)

    def write(self, folder: Path) -> None:
        """Into a new folder, which holds all of it."""
        with staged_folder(folder) as partial:
            shutil.copytree(self.snapshot, partial / "snapshot")
            self.documents.to_parquet(partial / "documents.parquet", index=False)
            self.quarantine.to_parquet(partial / "quarantine.parquet", index=False)
            about = {"rubric": asdict(self.rubric), "leakage": asdict(self.leakage) if self.leakage else None}
            (partial / "set.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            if self.assignment is not None:
                self.assignment.to_parquet(partial / "assignment.parquet", index=False)

    @classmethod
    def read(cls, folder: Path) -> "StoredSet":
        """The inverse of `write`. Raises InputError where the folder holds no set."""
        if not (folder / "set.json").is_file():
            raise InputError("no labelled set lies here", where=str(folder), fix="Name a folder that a run has written")
        about = json.loads((folder / "set.json").read_text(encoding="utf-8"))
        parts = folder / "assignment.parquet"
        return cls(
            Rubric(**about["rubric"]),
            folder / "snapshot",
            LabelledDocument.validate(pd.read_parquet(folder / "documents.parquet")),
            Quarantined.validate(pd.read_parquet(folder / "quarantine.parquet")),
            SplitAssignment.validate(pd.read_parquet(parts)) if parts.is_file() else None,
            _leakage(about["leakage"]) if about["leakage"] else None,
        )


def _leakage(fields: dict[str, Any]) -> Leakage:
    units = {int(rows): count for rows, count in fields["units_by_size"].items()}  # JSON's keys are texts
    given = {"exact": Share(**fields["exact"]), "near": Share(**fields["near"]), "units_by_size": units}
    return Leakage(**{**fields, **given})
