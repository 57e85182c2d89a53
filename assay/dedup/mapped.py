"""Duplicates among more documents than fit into memory: bands are searched apart, then their pairs are joined.

A band needs the keys of all documents (8 bytes each) and the signatures of those that share one; no text is read.
Documents take turns by their keys, so that memory does not grow with them.
Whether two documents are near-duplicates is decided by the similarity that their signatures estimate.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.dedup.config import DedupConfig
from assay.dedup.signatures import similarity

IntArray: TypeAlias = NDArray[np.int64]
Mark = TypeVar("Mark", np.uint8, np.uint64)

EXACT = -1
"""Number of the band whose key is the digest of the whole text."""
AT_ONCE = 100_000
"""Documents, about, whose keys and signatures are in memory at once; others take their turn,"""
MOST_TURNS = 32
"""but no more than these, since each of them reads all keys: 100 bytes a document of a turn are in memory."""


class MarkedParts(Protocol):
    """Marks of documents, in parts that are read as they are needed. Rows are numbered through all parts."""

    @property
    def starts(self) -> IntArray:
        """The first row of every part, and the number of all rows; shape (parts + 1,)."""

    def keys(self, part: int, band: int) -> NDArray[np.uint64]:
        """Keys of one band, shape (rows of the part,); for EXACT the first half of the digest."""

    def bits(self, part: int, rows: IntArray) -> NDArray[np.uint8]:
        """Bytes of signatures at these rows, counted from the part's first; shape (len(rows), permutations)."""

    def digests(self, part: int, rows: IntArray) -> NDArray[np.uint64]:
        """Digests at these rows, shape (len(rows), 2)."""


def pairs_of_band(parts: MarkedParts, band: int, config: DedupConfig) -> IntArray:
    """Pairs of rows, shape (m, 2), that join what one band finds to be the same or nearly.

    Not every pair: as many as connect the documents that belong together. For EXACT, documents of equal text.
    """
    turns = min(-(-int(parts.starts[-1]) // AT_ONCE), MOST_TURNS)
    found = [_pairs_among(parts, band, config, turn, turns) for turn in range(turns)]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _pairs_among(parts: MarkedParts, band: int, config: DedupConfig, turn: int, turns: int) -> IntArray:
    """The pairs among documents whose keys fall into this turn; documents that share a key are in one turn."""
    mine, theirs = [], []
    for part in range(len(parts.starts) - 1):
        every = parts.keys(part, band)
        here = np.flatnonzero(every % np.uint64(turns) == turn)
        mine.append(here + parts.starts[part])
        theirs.append(every[here])
    keys = np.concatenate(theirs)
    order = np.argsort(keys, kind="stable")
    starts = _starts(keys[order])
    sizes = np.diff(np.append(starts, len(keys)))
    shared = np.repeat(sizes > 1, sizes)
    rows, bucket = np.concatenate(mine)[order[shared]], np.repeat(np.arange(len(sizes)), sizes)[shared]
    del keys, order
    if not len(rows):
        return np.empty((0, 2), np.int64)
    if band == EXACT:
        known = _gathered(rows, parts, parts.digests)
        return _joined(rows, bucket, lambda i, j: (known[i] == known[j]).all(axis=1))
    bits = _gathered(rows, parts, parts.bits)
    return _joined(rows, bucket, lambda i, j: similarity(bits[i], bits[j]) >= config.threshold)


def _gathered(rows: IntArray, parts: MarkedParts, read: Callable[[int, IntArray], NDArray[Mark]]) -> NDArray[Mark]:
    """What decides about each of these rows, in their order."""
    rising = np.sort(rows)
    edges = np.searchsorted(rising, parts.starts)
    pieces = [
        read(part, rising[start:stop] - parts.starts[part])
        for part, (start, stop) in enumerate(itertools.pairwise(edges))
        if start < stop
    ]
    return np.concatenate(pieces)[np.searchsorted(rising, rows)]


def _joined(rows: IntArray, bucket: IntArray, same: "Same") -> IntArray:
    """Pairs that join documents within their buckets. `bucket` rises; buckets are worked on side by side.

    In round k the k-th document of each bucket is compared with those after it that are not in its component yet;
    a bucket of m copies of one text is done after one round.
    """
    places = np.arange(len(rows))
    first = np.searchsorted(bucket, bucket)
    component = places.copy()
    found = []
    active = places
    turn = 0
    while len(active):
        leader = first[active] + turn
        later = (active > leader) & (component[active] != component[leader])
        i, j = leader[later], active[later]
        if len(i):
            joined = same(i, j)
            i, j = i[joined], j[joined]
            found.append(np.stack([rows[i], rows[j]], axis=1))
            component = _merge(component, i, j)
        turn += 1
        # Only buckets that have a document left to lead, and are not one component yet.
        starts = _starts(bucket[active])
        sizes = np.diff(np.append(starts, len(active)))
        least, most = (each.reduceat(component[active], starts) for each in (np.minimum, np.maximum))
        active = active[np.repeat((least != most) & (sizes > turn + 1), sizes)]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


class Same(Protocol):
    """Whether the pairs at these places belong together."""

    def __call__(self, i: IntArray, j: IntArray) -> NDArray[np.bool_]: ...


def _starts(values: NDArray[Any]) -> IntArray:
    """Where a run of equal values begins."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.empty(0, np.int64)


def _merge(component: IntArray, i: IntArray, j: IntArray) -> IntArray:
    """Components after the pairs (i, j) were joined; the leader's name stays, and each leader has one component."""
    rename = np.arange(len(component))
    rename[component[j]] = component[i]
    return rename[component]


def clusters_of(pairs: Iterable[IntArray]) -> tuple[IntArray, IntArray]:
    """Rows that have a duplicate, rising, and the cluster of each: the smallest row in it. Both of shape (m,).

    Takes in one array of pairs after the other, since bands find the same ones again and again.
    """
    rows = cluster = np.empty(0, np.int64)
    for each in pairs:
        if len(each):
            rows, cluster = _components(np.concatenate([np.stack([rows, cluster], axis=1), each]))
    return rows, cluster


def _components(pairs: IntArray) -> tuple[IntArray, IntArray]:
    rows, place = np.unique(pairs, return_inverse=True)
    a, b = place.reshape(-1, 2).T
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(rows), len(rows)))
    label = connected_components(graph, directed=False)[1]
    _, smallest = np.unique(label, return_index=True)
    return rows, rows[smallest[label]]
