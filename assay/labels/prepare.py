"""Split labelled documents: find near-duplicates, assign and record the parts, measure the leakage."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.labels.known import DocumentMarks, KnownDocuments
from assay.labels.leakage import Leakage, measure_leakage
from assay.labels.ledger import PARTS, Ledger
from assay.labels.split import SplitConfig, split
from assay.rubric import Rubric
from assay.storage import Snapshot


@dataclass(frozen=True)
class PreparedSplit:
    """A split, with what reports state about it."""

    assignment: pd.DataFrame
    """SplitAssignment."""
    set_aside: pd.DataFrame
    """`id` and `reason` of documents that belong to no part."""
    leakage: Leakage
    """Leakage of a random split of the same rows."""
    kept: int
    """Documents whose part is that of an earlier run."""
    unmarked: int = 0
    """Documents of the ledger that an earlier release recorded, without marks."""

    def sentences(self) -> list[str]:
        """Return texts for reports: sizes of the parts, documents kept from the ledger or set aside, and leakage."""
        counts = self.assignment["part"].value_counts()
        parts = ", ".join(f"{part} {counts.get(part, 0)}" for part in ("train", "calibration", "test"))
        lines = [f"{parts}; {self.kept} kept from the ledger"]
        for reason, documents in self.set_aside.groupby("reason")["id"]:
            lines.append(f"set aside {len(documents)}: {reason}; first {documents.iloc[0]}")
        if self.unmarked:
            lines.append(
                f"an earlier release recorded {self.unmarked:,} documents of the ledger: of those that are not among "
                "these, near-duplicates and groups are not recognised"
            )
        return [*lines, self.leakage.sentence()]


def read_labels(snapshot: Snapshot) -> list[float]:
    """Return all labels of a snapshot that are finite. Empty if it has no label column."""
    values = [batch.column(0).to_pandas() for batch in snapshot.batches(["label"])] if _has_labels(snapshot) else []
    labels = pd.concat(values) if values else pd.Series(dtype=float)
    return [float(label) for label in labels[np.isfinite(labels)]]


def _has_labels(snapshot: Snapshot) -> bool:
    return "label" in snapshot.manifest.schema


def split_documents(
    snapshot: Snapshot,
    documents: pd.DataFrame,
    rubric: Rubric,
    *,
    ledger: Ledger | None,
    config: SplitConfig,
    progress: bool = False,
    clusters: NDArray[np.int64] | None = None,
    elsewhere: NDArray[np.bool_] | None = None,
) -> PreparedSplit:
    """Split a table LabelledDocument, and add new assignments to the ledger, if one is given.

    Documents of the ledger that are not in this set count as members of their units: their near-duplicates and the
    documents of their groups follow them.
    `clusters`: near-duplicate cluster of each document, computed if not given. `elsewhere`: as for `split`. Raise
    InputError if a part would be empty or would have one class only.
    """
    texts = snapshot.take(documents["row"]) if clusters is None or ledger else []
    if clusters is None:
        clusters = near_duplicate_clusters(texts, progress=progress)
    copies = documents["copies"].to_numpy()
    groups = documents["group"].to_numpy() if documents["group"].notna().any() else None
    labels = documents["label"].to_numpy()
    # Before the split: `append` refuses if another run has written since.
    known, recorded = ledger.read_marked() if ledger else ({}, KnownDocuments())
    marks = DocumentMarks.of(texts, documents["group"], progress=progress) if ledger else None
    if marks:
        elsewhere = _parts_of_absent(recorded, documents, marks) | (False if elsewhere is None else elsewhere)
    result = split(
        documents["id"].tolist(),
        labels,
        clusters,
        groups,
        copies=copies,
        keep=labels >= rubric.threshold,
        known=known,
        elsewhere=elsewhere,
        config=config,
    )
    if ledger:
        ledger.append(result.assignment, known, marks=marks)
    # All documents count, also those set aside: it is the leakage of a split that knows neither ledger nor units.
    leakage = measure_leakage(
        clusters,
        copies,
        test_share=config.test,
        train_share=1 - config.test - config.calibration,
        seed=config.seed,
    )
    return PreparedSplit(result.assignment, result.set_aside, leakage, result.kept, recorded.unmarked)


def _parts_of_absent(recorded: KnownDocuments, documents: pd.DataFrame, marks: DocumentMarks) -> NDArray[np.bool_]:
    """Return the parts that the ledger gave to near-duplicates and group members of documents, shape (n, parts).

    These are members that are not in this set, such as labels of an earlier period. Those that are in it are found with
    the other documents, by their texts.
    """
    absent = recorded.where(~recorded.table["id"].isin(documents["id"]))
    found = np.zeros((len(documents), len(PARTS)), bool)
    for code, part in enumerate(PARTS):
        of_part = absent.in_parts([part])
        found[:, code] = of_part.near(marks) | of_part.share_group(marks)
    return found
