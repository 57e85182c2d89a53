"""Split: train, calibration and test over the sets of all rubrics; no near-duplicate and no group straddles them."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.labels import (
    LabelledSet,
    Leakage,
    Ledger,
    SplitConfig,
    StoredSet,
    known_before,
    learned_before,
    split_together,
)
from assay.model import require_distinct
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Assignment, Documents
from tasks.support.types import SetFolder, SnapshotFolder, stored_folder


class Split(NamedTuple):
    assignment: Assignment
    leakage: Leakage
    further: list[SetFolder]
    stage: Stage


@task(enable_deck=True, cache=by_content(), **heavy())
def split_labels(
    snapshot: SnapshotFolder,
    documents: Documents,
    rubric: Rubric,
    further: list[SetFolder],
    ledger: str,
    encoder: str,
    encoder_revision: str,
    seed: int,
) -> Split:
    """Assign documents to parts, those of earlier runs as in the ledger, and measure what a random split would leak.

    `further`: sets by further rubrics; a text that fits in one set does not measure in another. `encoder`: the model
    that training continues from, empty for a plain encoder. `encoder_revision` only keys the cache.
    """
    with recorded("Split") as stage:
        opened = Snapshot.open(Path(snapshot.download()))
        others = [StoredSet.read(Path(folder.download())) for folder in further]
        sets = [LabelledSet(rubric, opened, documents), *(other.labelled for other in others)]
        require_distinct([each.rubric for each in sets])
        result, *made = split_together(
            sets,
            ledger=Ledger(ledger),
            config=SplitConfig(seed=seed),
            learned=learned_before(encoder),
            marks=known_before(encoder),
            progress=True,
        )
        written = Path(current_context().working_directory) / "further"
        for number, (other, split) in enumerate(zip(others, made, strict=True)):
            other.split_as(split).write(written / str(number))
        counts = result.assignment["part"].value_counts()
        stage.documents = len(result.assignment)
        stage.remark = ", ".join(
            f"{part} {counts[part]}" for part in ("train", "calibration", "test", "set_aside") if part in counts
        )
        for split in (result, *made):
            for sentence in split.sentences():
                say(sentence)
    folders = [stored_folder(written / str(number)) for number in range(len(others))]
    return Split(result.assignment, result.leakage, folders, stage)
