"""The documents of a part that need no score by the full model: rejected by a cheap one, or scored before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import Limits, Scorer, assess
from assay.scoring.plan import Part, PartFolder, Rejection
from assay.scoring.sidecar import REJECTED, PartFile
from assay.storage import join


@dataclass(frozen=True)
class Decided:
    """What is known of n documents of a part before the full model reads them."""

    rejected: NDArray[np.bool_]
    """True for documents that the cheap model rejected, shape (n,)."""
    cheap: pd.DataFrame
    """`language` and `in_scope` of each document, by the pass of the cheap model."""
    before: pd.DataFrame | None
    """Sidecar of the same documents, of earlier scores with a higher cut. None without such scores."""

    @classmethod
    def of(cls, folder: PartFolder, rejection: Rejection, part: Part) -> "Decided":
        """Read the cheap model's scores of a part. Raise InputError if they are missing, damaged or of other rows."""
        cheap = PartFile(_beside(folder, rejection.scores), part).read(["score", "reason", "language", "in_scope"])
        before = PartFile(_beside(folder, rejection.after), part).read() if rejection.after else None
        # What the cheap model could not score is left to the full one.
        rejected = (cheap["reason"].isna() & (cheap["score"] < rejection.cut)).to_numpy()
        return cls(rejected, cheap, before)

    @property
    def copied(self) -> NDArray[np.bool_]:
        """True for documents whose scores of before are taken over, shape (n,)."""
        if self.before is None:
            return np.zeros(len(self.rejected), bool)
        return ~self.rejected & (self.before["reason"] != REJECTED).to_numpy()

    def table(
        self, scorer: Scorer, texts: Sequence[str | None], limits: Limits, update: Callable[[int], object] | None
    ) -> pd.DataFrame:
        """Return the assessments of all texts, in their order: of those that are left, by the full model."""
        known = self.rejected | self.copied
        left = np.flatnonzero(~known)
        if update:
            update(int(known.sum()))
        found = assess(scorer, [texts[row] for row in left.tolist()], limits, update=update).table().set_index(left)
        tables = [found]
        if self.before is not None:
            tables.append(self.before[found.columns].iloc[np.flatnonzero(self.copied)])
        tables.append(self._of_rejected(found))
        # Of no document at all, pandas cannot tell texts and decisions from numbers.
        kinds = {**found.dtypes.drop("reason").to_dict(), "language": "str", "in_scope": "bool"}
        return pd.concat([table for table in tables if len(table)]).sort_index().astype(kinds)

    def _of_rejected(self, like: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the rejected documents, without scores, in the columns of an assessment."""
        rows = np.flatnonzero(self.rejected)
        table = like.iloc[:0].reindex(rows)
        given = {"tokens": 0, "read": 0.0, "reason": REJECTED}
        told = {name: self.cheap[name].to_numpy()[rows] for name in ("language", "in_scope")}
        return table.assign(**given, **told)


def _beside(folder: PartFolder, key: str) -> PartFolder:
    """Return the folder of other scores of the same corpus. Raise InputError if its documents are others."""
    found = PartFolder.open(join(folder.url.rstrip("/").rpartition("/")[0], key))
    same = (found.plan.snapshot, found.plan.config.rows_per_part)
    if same != (folder.plan.snapshot, folder.plan.config.rows_per_part):
        raise InputError(
            "these scores are of another corpus, or of other parts", where=found.url, fix="Score in one cascade"
        )
    return found
