"""Labelled documents of another source that no model was fitted to, on which finished models can be measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from assay.dedup import near_duplicate_clusters, text_digest
from assay.labels.parts import read_seen
from assay.labels.split import join_units
from assay.labels.validate import Validation, validate
from assay.progress import say
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot


@dataclass(frozen=True)
class Unseen:
    """Labelled documents without those that a model was fitted to."""

    part: pd.DataFrame
    """Table LabelledDocument with `cluster`: near-duplicates and documents of one group have the same number."""
    left_out: int
    """Documents that any of the models was fitted to."""
    seen: list[int]
    """Documents that each of the models was fitted to."""


def open_unseen(
    source: str,
    columns: Columns,
    rubric: Rubric,
    models: Sequence[Path],
    *,
    folder: Path,
    check: Callable[[Snapshot], object] | None = None,
) -> tuple[Snapshot, Validation, Unseen]:
    """Acquire a labelled source into `folder`, validate its rows, and leave out documents that fitted a model.

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
    """Leave out of a table LabelledDocument the texts that any of the models was fitted to, and print their number.

    Raise InputError for a model folder without a record of its documents.
    """
    known = [read_seen(model) for model in models]
    texts = snapshot.take(documents["row"])
    # Cluster before leaving out: two new documents may be linked by one that is left out.
    clusters = join_units(near_duplicate_clusters(texts, progress=True), documents["group"])
    digests = [text_digest(text) for text in texts]
    of_each = [[digest in seen for digest in digests] for seen in known]
    fresh = [not any(by_model) for by_model in zip(*of_each, strict=True)]
    left_out = len(fresh) - sum(fresh)
    if left_out:
        whose = "this model" if len(models) == 1 else "one of these models"
        say(f"left out {left_out} of {len(fresh)} documents: {whose} was fitted to them")
    part = documents.assign(cluster=clusters)[fresh].reset_index(drop=True)
    return Unseen(part, left_out, [sum(hits) for hits in of_each])
