"""Split: train, calibration and test, which no near-duplicate and no group straddles."""

from pathlib import Path
from typing import NamedTuple

from flytekit import task

from assay.labels import LabelledSet, Leakage, Ledger, SplitConfig, learned_before, split_together
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from tasks.caching import by_content
from tasks.resources import heavy
from tasks.types import Assignment, Documents, SnapshotFolder, Stage, recorded


class Split(NamedTuple):
    assignment: Assignment
    leakage: Leakage
    stage: Stage


@task(enable_deck=True, cache=by_content(), **heavy())
def split_labels(
    snapshot: SnapshotFolder,
    documents: Documents,
    rubric: Rubric,
    ledger: str,
    encoder: str,
    encoder_revision: str,
    seed: int,
) -> Split:
    """Assign documents, those of earlier runs as the ledger says, and measure what a random split would leak.

    `encoder`: the model that training goes on from, empty for a plain encoder; `encoder_revision` only keys the cache.
    """
    with recorded("Split") as stage:
        opened = Snapshot.open(Path(snapshot.download()))
        labelled = LabelledSet(rubric, opened, documents)
        (result,) = split_together(
            [labelled],
            ledger=Ledger(ledger),
            config=SplitConfig(seed=seed),
            learned=learned_before(encoder),
            progress=True,
        )
        counts = result.assignment["part"].value_counts()
        stage.documents = len(result.assignment)
        stage.remark = ", ".join(
            f"{part} {counts[part]}" for part in ("train", "calibration", "test", "set_aside") if part in counts
        )
        for sentence in result.sentences():
            say(sentence)
    return Split(result.assignment, result.leakage, stage)
