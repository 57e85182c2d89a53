"""Validate: make labelled documents of the rows of a snapshot, and keep unusable rows with their reason."""

from pathlib import Path
from typing import NamedTuple

from flytekit import task

from assay.labels import read_labels, validate
from assay.progress import say
from assay.rubric import Rubric, rubric_from_labels
from assay.storage import Snapshot
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Documents, Quarantine
from tasks.support.types import SnapshotFolder


class Validated(NamedTuple):
    documents: Documents
    quarantine: Quarantine
    rubric: Rubric
    stage: Stage


@task(enable_deck=True, cache=by_content(), **heavy())
def validate_labels(
    snapshot: SnapshotFolder, rubric: Rubric | None, threshold: float | None, max_quarantined: float
) -> Validated:
    """Check rows against the rubric; without one, against the scale that the labels span."""
    with recorded("Validate") as stage:
        opened = Snapshot.open(Path(snapshot.download()))
        effective = rubric or rubric_from_labels(read_labels(opened), threshold, where=opened.sources)
        checked = validate(opened, effective, max_quarantined=max_quarantined)
        stage.documents = len(checked.documents)
        stage.remark = (
            f"{len(checked.quarantine)} rows quarantined, {checked.merged} merged with an equal text "
            f"({checked.disagreeing} documents with differing labels)"
        )
        say(f"{stage.documents:,} documents; {stage.remark}")
    return Validated(checked.documents, checked.quarantine, effective, stage)
