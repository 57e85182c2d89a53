"""Open a corpus by its name: a snapshot is used as it is, and one is made of any other source for each revision.

Parquet in an object store is read where it lies. Anything else is copied.
"""

from dataclasses import asdict

from assay.progress import say, stage
from assay.sources.acquire import Columns, acquire
from assay.sources.kinds import without_query
from assay.sources.period import Period
from assay.sources.reference import can_lie, refer
from assay.sources.source import open_source
from assay.storage import MANIFEST, Snapshot, digest_json, exists, join


def existing_snapshot(source: str) -> Snapshot | None:
    """Return the snapshot at a path or URL, or None if the source is not a snapshot."""
    # `exists` goes through fsspec, but only the datasets library reads names of a hub.
    # A URL with a query is one file.
    if source.startswith("hf://") or without_query(source) != source or not exists(join(source, MANIFEST)):
        return None
    return Snapshot.open(source)


def corpus_revision(source: str) -> str:
    """Return a text that changes whenever the documents may have changed.

    It is the version of a snapshot, or the revision of any other source. Raise InputError if the source is missing.
    """
    snapshot = existing_snapshot(source)
    return snapshot.manifest.version if snapshot else open_source(source).revision


def open_corpus(source: str, columns: Columns, root: str, period: Period | None = None) -> Snapshot:
    """Return the documents of a source as a snapshot.

    A snapshot is returned as it is; `columns` does not apply to it. Any other source, and the documents of a period,
    are copied below `root`, once for each revision, choice of columns and period. Parquet in an object store is read
    where it lies, unless a copy exists. Raise InputError if the source cannot be read; then nothing is written.
    """
    if not period and (snapshot := existing_snapshot(source)):
        return snapshot
    opened = open_source(source)
    made_of = [opened.revision, columns.to_json(), *([asdict(period)] if period else [])]
    place = join(root, "corpora", digest_json(made_of)[:16])
    if exists(join(place, MANIFEST)):
        return Snapshot.open(place)
    if not period and can_lie(opened, columns):
        place = join(root, "corpora", digest_json([*made_of, "in place"])[:16])
        if exists(join(place, MANIFEST)):
            return Snapshot.open(place)
        with stage("Read the footers"):
            return refer(opened, columns, place, keep=True)
    with stage("Acquire"):
        # Another process may finish the same copy meanwhile: `keep` then returns that one.
        snapshot = acquire(opened, columns, place, period=period, keep=True)
        say(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version[:12]}")
    return snapshot
