"""Which labelled documents of another source no model has seen: what finished models can be measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from assay.dedup import near_duplicate_clusters, text_digest
from assay.labels.parts import read_seen
from assay.labels.split import join_units
from assay.progress import say
from assay.storage import Snapshot


@dataclass(frozen=True)
class Unseen:
    """Labelled documents without those that fitted a model."""

    part: pd.DataFrame
    """LabelledDocument with `cluster`: near-duplicates and groups have one number."""
    left_out: int
    """Documents that fitted any of the models."""
    seen: list[int]
    """Documents that fitted each of them."""


def find_unseen(snapshot: Snapshot, documents: pd.DataFrame, models: Sequence[Path]) -> Unseen:
    """Leave out of a LabelledDocument table what fitted any of the model folders, and say how much it was.

    Raises InputError for a folder that does not tell what fitted its model.
    """
    known = [read_seen(model) for model in models]
    texts = snapshot.take(documents["row"])
    clusters = join_units(near_duplicate_clusters(texts, progress=True), documents["group"])
    digests = [text_digest(text) for text in texts]
    of_each = [[digest in seen for digest in digests] for seen in known]
    fresh = [not any(by_model) for by_model in zip(*of_each, strict=True)]
    left_out = len(fresh) - sum(fresh)
    if left_out:
        whose = "this model" if len(models) == 1 else "one of these models"
        say(f"{left_out} of {len(fresh)} documents fitted {whose}, and are left out")
    part = documents.assign(cluster=clusters)[fresh].reset_index(drop=True)
    return Unseen(part, left_out, [sum(hits) for hits in of_each])
