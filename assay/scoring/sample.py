"""Draw documents of a corpus at random, as a snapshot of their own."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.storage import MANIFEST, Snapshot, digest_json, exists, join, write_snapshot

SAMPLE_PART = 500
"""Documents in a part of a sample's scores: few, so that a killed run loses little and processes can share them."""
BATCH = 1_000
"""Documents of the sample in a record batch."""


def draw(snapshot: Snapshot, documents: int, purpose: str) -> NDArray[np.int64]:
    """Return the numbers of rows drawn at random without replacement, in the order in which they were drawn.

    The same corpus, number and purpose give the same rows; different purposes give independent ones.
    """
    seed = int(digest_json([snapshot.manifest.version, purpose]), 16)
    generator = np.random.default_rng(seed)
    rows = snapshot.manifest.rows
    return generator.choice(rows, size=min(documents, rows), replace=False).astype(np.int64)


def sample_snapshot(snapshot: Snapshot, rows: NDArray[np.int64], root: str) -> Snapshot:
    """Return the documents of these rows as a snapshot below `root`, in the order of the corpus.

    Its columns are `id`, `text` and `row`, the number in the corpus. It is written once. Raise InputError if the corpus
    cannot be read.
    """
    wanted = np.sort(rows)
    place = join(root, "samples", digest_json([snapshot.manifest.version, wanted.tolist()])[:16])
    if exists(join(place, MANIFEST)):
        return Snapshot.open(place)
    provenance = {"sources": snapshot.manifest.provenance.get("sources", []), "corpus": snapshot.manifest.version}
    return write_snapshot(place, _batches(snapshot, wanted), provenance=provenance, keep=True)


def _batches(snapshot: Snapshot, wanted: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    for first in range(0, len(wanted), BATCH):
        rows = wanted[first : first + BATCH]
        columns = {
            "id": pa.array(snapshot.take(rows, "id"), pa.string()),
            "text": pa.array(snapshot.take(rows), pa.large_string()),
            "row": pa.array(rows),
        }
        yield pa.record_batch(list(columns.values()), names=list(columns))
