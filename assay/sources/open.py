"""Open a corpus: a snapshot as it is, any other source as a snapshot made once for each revision."""

from dataclasses import asdict

from assay.progress import say, stage
from assay.sources.acquire import Columns, acquire
from assay.sources.source import open_source
from assay.storage import (
    MANIFEST,
    Snapshot,
    digest_json,
    exists,
    join,
)


def existing_snapshot(source: str) -> Snapshot | None:
    """The snapshot where the source is one, on a disk or in a store."""
    if source.startswith("hf://") or not exists(join(source, MANIFEST)):  # a hub is asked by its own library
        return None
    return Snapshot.open(source)


def corpus_revision(source: str) -> str:
    """Changes whenever the documents may have changed. Raises InputError where there are none."""
    snapshot = existing_snapshot(source)
    return snapshot.manifest.version if snapshot else open_source(source).revision


def open_corpus(source: str, columns: Columns, root: str) -> Snapshot:
    """A snapshot as it is; any other source as a snapshot below `root`, made once for a revision of it.

    Raises InputError for a source that cannot be read; then there is nothing.
    """
    if snapshot := existing_snapshot(source):
        return snapshot
    opened = open_source(source)
    place = join(root, "corpora", digest_json([opened.revision, asdict(columns)])[:16])
    if exists(join(place, MANIFEST)):
        return Snapshot.open(place)
    with stage("Acquire"):
        snapshot = acquire(opened, columns, place, keep=True)
        say(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version[:12]}")
    return snapshot
