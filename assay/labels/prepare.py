"""From labelled documents to their split: near-duplicates found, sides assigned and remembered, the leak measured."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.labels.leakage import Leakage, measure_leakage
from assay.labels.ledger import Ledger
from assay.labels.split import SplitConfig, split
from assay.rubric import Rubric
from assay.storage import Snapshot


@dataclass(frozen=True)
class PreparedSplit:
    """A split, and what is to be said of it."""

    assignment: pd.DataFrame
    """SplitAssignment."""
    set_aside: pd.DataFrame
    """`id` and `reason` of documents that belong to no side."""
    leakage: Leakage
    """What a random split of the same rows would have leaked."""
    kept: int
    """Documents whose side was known from earlier runs."""

    def sentences(self) -> list[str]:
        """For people: the parts, what was kept as it was, what was set aside and why, and the leak."""
        counts = self.assignment["part"].value_counts()
        parts = ", ".join(f"{part} {counts.get(part, 0)}" for part in ("train", "calibration", "test"))
        said = [f"{parts}; {self.kept} as the ledger had them"]
        for reason, documents in self.set_aside.groupby("reason")["id"]:
            said.append(f"set aside {len(documents)}: {reason}; first {documents.iloc[0]}")
        return [*said, self.leakage.sentence()]


def read_labels(snapshot: Snapshot) -> list[float]:
    """All labels of a snapshot that are finite numbers."""
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
    """Split a LabelledDocument table; new sides are added to the ledger, where there is one.

    `clusters` of near-duplicates are looked for where they are not given; `elsewhere` is what `split` takes. Raises
    InputError where a part would stay empty or would hold one class only.
    """
    if clusters is None:
        clusters = near_duplicate_clusters(snapshot.take(documents["row"]), progress=progress)
    copies = documents["copies"].to_numpy()
    groups = documents["group"].to_numpy() if documents["group"].notna().any() else None
    labels = documents["label"].to_numpy()
    known = ledger.read() if ledger else {}
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
        ledger.append(result.assignment, known)
    leakage = measure_leakage(
        clusters,
        copies,
        test_share=config.test,
        train_share=1 - config.test - config.calibration,
        seed=config.seed,
    )
    return PreparedSplit(result.assignment, result.set_aside, leakage, result.kept)
