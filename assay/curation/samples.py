"""Figures and sample documents for the report of a build. Their size does not grow with the corpus."""

import hashlib
import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.curation.pieces import UNREADABLE

SAMPLES = 3
"""Documents shown for each reason."""
WIDEST = 40
"""Number of length classes: class n has the documents of 2^n to 2^(n+1) tokens."""
PLACES = 20
"""Unreadable places, and benchmarks, that the report lists."""


def _no_lengths() -> NDArray[np.int64]:
    return np.zeros(WIDEST, np.int64)


@dataclass
class ReportSamples:
    """Counts and samples, collected batch by batch."""

    kept_lengths: NDArray[np.int64] = field(default_factory=_no_lengths)
    """Kept documents by the whole part of the binary logarithm of their tokens (UTF-8 bytes / 4), shape (WIDEST,)."""
    dropped_lengths: NDArray[np.int64] = field(default_factory=_no_lengths)
    languages: Counter[str] = field(default_factory=Counter)
    """Kept documents by language."""
    dropped_languages: Counter[str] = field(default_factory=Counter)
    contaminated: int = 0
    """Kept documents that share a 13-gram with a benchmark."""
    benchmarks: Counter[str] = field(default_factory=Counter)
    """Those documents by benchmark."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Member and fault of the first PLACES places that could not be read."""
    broken_members: int = 0
    """Members with at least one such place."""
    # The places of one member follow each other, so the last member is all that has to be remembered to count them.
    _last_broken: str = ""
    _heaps: dict[str, list[tuple[int, int, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))

    def add_kept(self, batch: pa.RecordBatch) -> None:
        """Add the kept rows of a piece."""
        self.kept_lengths += _lengths(batch["_bytes"])
        self.languages.update(value or "unknown" for value in batch["language"].to_pylist())
        hit = pc.greater(batch["contamination"], 0.0)
        for names in batch["contaminated_by"].filter(hit).to_pylist():
            self.contaminated += 1
            self.benchmarks.update(names.split(","))

    def add_dropped(self, batch: pa.RecordBatch, table: pa.Table) -> None:
        """Add the dropped rows of a piece, and the same rows in the table of dropped documents."""
        unreadable = np.array([reason == UNREADABLE for reason in table["reason"].to_pylist()], bool)
        documents = batch.filter(pa.array(~unreadable))
        self.dropped_lengths += _lengths(documents["_bytes"])
        self.dropped_languages.update(value or "unknown" for value in documents["language"].to_pylist())
        for row in table.to_pylist():
            if row["reason"] == UNREADABLE:
                self.broken_members += row["member"] != self._last_broken
                self._last_broken = row["member"]
                if len(self.unreadable) < PLACES:
                    self.unreadable.append((row["member"], row["detail"]))
            else:
                self._sample(row)

    def _sample(self, row: dict[str, Any]) -> None:
        # The rows whose places have the least hashes: spread over the source, and the same in every run.
        place = f"{row['member']}\0{row['row']}".encode("utf-8", "surrogatepass")
        rank = -int.from_bytes(hashlib.blake2b(place, digest_size=8).digest())
        heap = self._heaps[row["reason"]]
        if len(heap) < SAMPLES:
            heapq.heappush(heap, (rank, row["row"], row))
        elif rank > heap[0][0]:
            heapq.heapreplace(heap, (rank, row["row"], row))

    def samples(self, reason: str) -> list[dict[str, Any]]:
        """Return up to SAMPLES rows of the table of dropped documents with this reason."""
        return [row for _, _, row in sorted(self._heaps.get(reason, []), key=lambda each: -each[0])]


def _lengths(sizes: pa.Array) -> NDArray[np.int64]:
    tokens = np.asarray(sizes.to_numpy(), np.int64) // 4
    power = np.floor(np.log2(np.maximum(tokens, 1))).astype(np.int64)
    return np.bincount(power, minlength=WIDEST)[:WIDEST].astype(np.int64)
