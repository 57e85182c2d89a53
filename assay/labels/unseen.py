"""Labelled documents of another source that no model was fitted to, on which finished models can be measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from assay.dedup import near_duplicate_clusters, text_digest
from assay.labels.known import DocumentMarks
from assay.labels.ledger import SET_ASIDE
from assay.labels.parts import read_marks, read_seen
from assay.labels.split import join_units
from assay.labels.validate import Validation, validate
from assay.progress import say
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot

REASONS = {
    "text": "the same text as one that it was fitted to",
    "set_aside": "the same text as one that its split had set aside",
    "near": "a near-duplicate of one of these",
    "group": "in a group with one of these",
    "unit": "linked to one of these by a near-duplicate or a group",
}
"""Reasons for which a document is left out, in the order in which they count."""


@dataclass(frozen=True)
class Unseen:
    """Labelled documents without those that a model was made of, and without all that belong to these."""

    part: pd.DataFrame
    """Table LabelledDocument with `cluster`: near-duplicates and documents of one group have the same number."""
    left_out: int
    """Documents that were left out."""
    seen: list[int]
    """Documents that were left out for each of the models."""
    reasons: dict[str, int]
    """Key of REASONS -> documents that were left out for it. Each counts once, for its first reason."""
    unmarked: list[int]
    """Documents of each of the models that are known by their bytes alone, because an earlier release trained it."""
    digests: list[str]
    """Digests of the texts of all documents, also of those left out."""

    def sentences(self) -> list[str]:
        """Return texts for reports: the documents left out by reason, and what could not be recognised."""
        given, lines = len(self.part) + self.left_out, []
        if self.left_out:
            whose = "the model" if len(self.seen) == 1 else "one of the models"
            why = "; ".join(f"{count} {REASONS[key]}" for key, count in self.reasons.items() if count)
            lines.append(f"left out {self.left_out} of {given} documents because of {whose}: {why}")
        for number, unmarked in enumerate(self.unmarked, start=1):
            if unmarked:
                which = "the model" if len(self.unmarked) == 1 else f"model {number}"
                lines.append(
                    f"{which} was trained by an earlier release: of {unmarked:,} documents that it was fitted to, only "
                    "the same bytes are recognised, and no near-duplicate or group"
                )
        return lines


def open_unseen(
    source: str,
    columns: Columns,
    rubric: Rubric,
    models: Sequence[Path],
    *,
    folder: Path,
    check: Callable[[Snapshot], object] | None = None,
) -> tuple[Snapshot, Validation, Unseen]:
    """Acquire a labelled source into `folder`, validate its rows, and leave out what a model has seen.

    `check` is called with the snapshot before validation, to refuse unusable settings early. Raise InputError if the
    source is unusable, or if a model folder has no record of its documents.
    """
    snapshot = acquire(open_source(source), columns, folder)
    if check:
        check(snapshot)
    checked = validate(snapshot, rubric)
    say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
    return snapshot, checked, find_unseen(snapshot, checked.documents, models)


def find_unseen(snapshot: Snapshot, documents: pd.DataFrame, models: Sequence[Path]) -> Unseen:
    """Leave out of a table LabelledDocument all that belongs to what a model was made of, and print their number.

    Left out are whole units of near-duplicates and groups, if any member is, has nearly the same text as, or is in a
    group with a document that one of the models learned from or was calibrated on, or that its split had set aside.
    Raise InputError for a model folder without a record of its documents.
    """
    fitted, known = [read_seen(model) for model in models], [read_marks(model) for model in models]
    texts = snapshot.take(documents["row"])
    # Cluster before leaving out: two new documents may be linked by one that is left out.
    units = join_units(near_duplicate_clusters(texts, progress=True), documents["group"])
    digests = [text_digest(text) for text in texts]
    marks = DocumentMarks.of(texts, documents["group"])
    reason = np.full((len(models), len(texts)), len(REASONS))
    for of_model, seen, made_of in zip(reason, fitted, known, strict=True):
        aside = set(made_of.in_parts([SET_ASIDE]).table["id"])
        found = {
            "text": np.array([digest in seen for digest in digests], bool),
            "set_aside": np.array([digest in aside for digest in digests], bool),
            "near": made_of.near(marks),
            "group": made_of.share_group(marks),
        }
        found["unit"] = np.isin(units, units[np.logical_or.reduce(list(found.values()))])
        for code, key in reversed(list(enumerate(REASONS))):
            of_model[found[key]] = code
    first = reason.min(axis=0)
    fresh = first == len(REASONS)
    unseen = Unseen(
        documents.assign(cluster=units)[fresh].reset_index(drop=True),
        int((~fresh).sum()),
        [int(count) for count in (reason < len(REASONS)).sum(axis=1)],
        {key: int((first == code).sum()) for code, key in enumerate(REASONS)},
        [made_of.unmarked for made_of in known],
        digests,
    )
    for sentence in unseen.sentences():
        say(sentence)
    return unseen
