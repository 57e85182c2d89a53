"""Acquire a corpus: a snapshot is taken as it is, wherever it lies; any other source becomes one."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.directory import FlyteDirectory

from assay.progress import say
from assay.sources import Columns, Period, acquire, existing_snapshot, open_source
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, stored_folder


class Corpus(NamedTuple):
    snapshot: SnapshotFolder
    stage: Stage


@task(cache=by_content("source"), **heavy())
def acquire_corpus(source: str, revision: str, columns: Columns, period: Period | None) -> Corpus:
    """All of it, or the documents of a period. Cached by `revision`, wherever the source lies."""
    with recorded("Acquire corpus") as stage:
        snapshot = existing_snapshot(source)
        if snapshot and not period:
            folder = FlyteDirectory(source, remote_directory=False)  # larger than a pod's disk: never copied
        else:
            path = Path(current_context().working_directory) / "corpus"
            snapshot = acquire(open_source(source), columns, path, period=period, replace=True)
            folder = stored_folder(path)
        stage.documents = snapshot.manifest.rows
        stage.remark = f"version {snapshot.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Corpus(folder, stage)
