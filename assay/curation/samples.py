"""What a report shows of documents: lengths, languages, samples. Of bounded size, whatever it is shown."""

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
"""Of each reason: those whose places have the least hashes, which lie anywhere, and are the same again."""
WIDEST = 40
"""Powers of two of tokens."""
PLACES = 20


def _no_lengths() -> NDArray[np.int64]:
    return np.zeros(WIDEST, np.int64)


@dataclass
class DriftLook:
    """Adds up what it is shown."""

    kept_lengths: NDArray[np.int64] = field(default_factory=_no_lengths)
    """Documents by the whole part of the binary logarithm of their tokens (bytes / 4)."""
    dropped_lengths: NDArray[np.int64] = field(default_factory=_no_lengths)
    languages: Counter[str] = field(default_factory=Counter)
    dropped_languages: Counter[str] = field(default_factory=Counter)
    contaminated: int = 0
    """Documents kept that share a 13-gram with a benchmark."""
    benchmarks: Counter[str] = field(default_factory=Counter)
    """Of those, by benchmark."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Member and what is wrong with it: the first of them."""
    broken_members: int = 0
    """Members with such a place; those of one member come one after the other."""
    _last_broken: str = ""
    _heaps: dict[str, list[tuple[int, int, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))

    def add_kept(self, batch: pa.RecordBatch) -> None:
        """Rows of a piece that are kept."""
        self.kept_lengths += _lengths(batch["_bytes"])
        self.languages.update(value or "unknown" for value in batch["language"].to_pylist())
        hit = pc.greater(batch["contamination"], 0.0)
        for names in batch["contaminated_by"].filter(hit).to_pylist():
            self.contaminated += 1
            self.benchmarks.update(names.split(","))

    def add_dropped(self, batch: pa.RecordBatch, table: pa.Table) -> None:
        """Rows of a piece that are dropped, and what the table of the dropped says of them."""
        told = np.array([reason == UNREADABLE for reason in table["reason"].to_pylist()], bool)
        documents = batch.filter(pa.array(~told))
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
        place = f"{row['member']}\0{row['row']}".encode("utf-8", "surrogatepass")
        rank = -int.from_bytes(hashlib.blake2b(place, digest_size=8).digest())
        heap = self._heaps[row["reason"]]
        if len(heap) < SAMPLES:
            heapq.heappush(heap, (rank, row["row"], row))
        elif rank > heap[0][0]:
            heapq.heapreplace(heap, (rank, row["row"], row))

    def samples(self, reason: str) -> list[dict[str, Any]]:
        """Rows of the table of the dropped."""
        return [row for _, _, row in sorted(self._heaps.get(reason, []), key=lambda each: -each[0])]


def _lengths(sizes: pa.Array) -> NDArray[np.int64]:
    tokens = np.asarray(sizes.to_numpy(), np.int64) // 4
    power = np.floor(np.log2(np.maximum(tokens, 1))).astype(np.int64)
    return np.bincount(power, minlength=WIDEST)[:WIDEST].astype(np.int64)
