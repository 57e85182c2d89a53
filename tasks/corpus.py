"""Acquire a corpus: a snapshot is taken as it is, wherever it lies; any other source becomes one."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.directory import FlyteDirectory

from assay.corpus import Columns, Period, acquire, open_source
from assay.filtering import existing_snapshot
from assay.progress import say
from tasks.caching import by_content
from tasks.resources import heavy
from tasks.types import SnapshotFolder, Stage, recorded, stored_folder


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
