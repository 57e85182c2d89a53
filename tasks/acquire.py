"""Acquire: make a snapshot of a source, versioned by its content."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.progress import say
from assay.sources import Columns, Period, acquire, open_source
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, stored_folder


class Acquired(NamedTuple):
    snapshot: SnapshotFolder
    stage: Stage


@task(cache=by_content("source"), **heavy())
def acquire_documents(source: str, revision: str, columns: Columns, period: Period | None) -> Acquired:
    """Copy all rows of a source or period, valid or not. The cache is keyed by `revision`, not by the location."""
    with recorded("Acquire") as stage:
        path = Path(current_context().working_directory) / "snapshot"
        snapshot = acquire(open_source(source), columns, path, period=period, replace=True)
        stage.documents = snapshot.manifest.rows
        stage.remark = f"version {snapshot.manifest.version[:12]}"
        say(f"{stage.documents:,} rows, {stage.remark}")
    return Acquired(stored_folder(path), stage)
