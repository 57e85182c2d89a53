"""Acquire a corpus: use a snapshot, or Parquet in an object store, where it is; copy any other source."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.directory import FlyteDirectory

from assay.progress import say
from assay.sources import Columns, Period, acquire, can_lie, existing_snapshot, open_source, refer
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, stored_folder


class Corpus(NamedTuple):
    snapshot: SnapshotFolder
    stage: Stage


@task(cache=by_content("source"), **heavy())
def acquire_corpus(source: str, revision: str, columns: Columns, period: Period | None) -> Corpus:
    """Return all of a corpus, or the documents of a period. The cache is keyed by `revision`, not by the location."""
    with recorded("Acquire corpus") as stage:
        snapshot = existing_snapshot(source)
        if snapshot and not period:
            # Not copied: a corpus may be larger than a pod's disk.
            folder = FlyteDirectory(source, remote_directory=False)
        else:
            path = Path(current_context().working_directory) / "corpus"
            opened = open_source(source)
            if not period and can_lie(opened, columns):
                snapshot = refer(opened, columns, path, keep=True)
            else:
                snapshot = acquire(opened, columns, path, period=period, replace=True)
            folder = stored_folder(path)
        stage.documents = snapshot.manifest.rows
        stage.remark = f"version {snapshot.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Corpus(folder, stage)
