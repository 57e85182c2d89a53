"""Find duplicates among more documents than fit into memory: each band is searched separately, then pairs are joined.

A band reads the keys of all documents (8 bytes each) and the signatures of the documents that share a key. No text is
read. Documents are processed in turns by their keys, so that memory does not grow with their number. Two documents are
near-duplicates if the similarity that their signatures estimate reaches the threshold.
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
"""Approximate number of documents of one turn, whose keys and signatures are in memory at once."""
MOST_TURNS = 32
"""Largest number of turns, since each turn reads all keys. A document of a turn takes 100 bytes of memory."""


class MarkedParts(Protocol):
    """Marks of documents, in parts that are read when needed. Row numbers continue from part to part."""

    @property
    def starts(self) -> IntArray:
        """First row of every part, and the number of all rows; shape (parts + 1,)."""

    def keys(self, part: int, band: int) -> NDArray[np.uint64]:
        """Return the keys of one band, shape (rows of the part,). For EXACT, return the first half of the digests."""

    def bits(self, part: int, rows: IntArray) -> NDArray[np.uint8]:
        """Return `bits` at these rows, counted from the part's first row; shape (len(rows), permutations)."""

    def digests(self, part: int, rows: IntArray) -> NDArray[np.uint64]:
        """Return the digests at these rows, counted from the part's first row; shape (len(rows), 2)."""


def pairs_of_band(parts: MarkedParts, band: int, config: DedupConfig) -> IntArray:
    """Return pairs of rows, shape (m, 2), that connect the near-duplicates found in one band.

    These are not all pairs, but enough to connect each group. For EXACT, they connect documents of equal text.
    """
    turns = min(-(-int(parts.starts[-1]) // AT_ONCE), MOST_TURNS)
    found = [_pairs_among(parts, band, config, turn, turns) for turn in range(turns)]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _pairs_among(parts: MarkedParts, band: int, config: DedupConfig, turn: int, turns: int) -> IntArray:
    """Return the pairs among the documents of one turn. Documents that share a key are in the same turn."""
    mine, theirs = [], []
    for part in range(len(parts.starts) - 1):
        every = parts.keys(part, band)
        # Keys are hashes, so that the turns are of about equal size.
        here = np.flatnonzero(every % np.uint64(turns) == turn)
        mine.append(here + parts.starts[part])
        theirs.append(every[here])
    keys = np.concatenate(theirs)
    order = np.argsort(keys, kind="stable")  # stable, so that the rows of a bucket stay in rising order
    starts = _starts(keys[order])
    sizes = np.diff(np.append(starts, len(keys)))
    shared = np.repeat(sizes > 1, sizes)
    rows, bucket = np.concatenate(mine)[order[shared]], np.repeat(np.arange(len(sizes)), sizes)[shared]
    del keys, order  # the signatures read next take the most memory
    if not len(rows):
        return np.empty((0, 2), np.int64)
    if band == EXACT:
        # The key is half of the digest, so the whole digest is compared.
        known = _gathered(rows, parts, parts.digests)
        return _joined(rows, bucket, lambda i, j: (known[i] == known[j]).all(axis=1))
    bits = _gathered(rows, parts, parts.bits)
    return _joined(rows, bucket, lambda i, j: similarity(bits[i], bits[j]) >= config.threshold)


def _gathered(rows: IntArray, parts: MarkedParts, read: Callable[[int, IntArray], NDArray[Mark]]) -> NDArray[Mark]:
    """Return the marks of these rows, in their order."""
    # Each part is read once, with rising rows, whatever the order of `rows`.
    rising = np.sort(rows)
    edges = np.searchsorted(rising, parts.starts)
    pieces = [
        read(part, rising[start:stop] - parts.starts[part])
        for part, (start, stop) in enumerate(itertools.pairwise(edges))
        if start < stop
    ]
    return np.concatenate(pieces)[np.searchsorted(rising, rows)]


def _joined(rows: IntArray, bucket: IntArray, same: "Same") -> IntArray:
    """Return pairs that connect documents within their buckets. `bucket` is in rising order.

    All buckets are processed together. In round k the k-th document of each bucket is compared with the documents after
    it that are not in its component. A bucket of m copies of one text is finished after one round.
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
        # Keep only buckets that are not one component yet and have a document left to compare with others.
        starts = _starts(bucket[active])
        sizes = np.diff(np.append(starts, len(active)))
        least, most = (each.reduceat(component[active], starts) for each in (np.minimum, np.maximum))
        active = active[np.repeat((least != most) & (sizes > turn + 1), sizes)]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


class Same(Protocol):
    """Test of pairs, given by their places: True if the two documents belong together."""

    def __call__(self, i: IntArray, j: IntArray) -> NDArray[np.bool_]: ...


def _starts(values: NDArray[Any]) -> IntArray:
    """Return the starts of the runs of equal values."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.empty(0, np.int64)


def _merge(component: IntArray, i: IntArray, j: IntArray) -> IntArray:
    """Return the components after joining the pairs (i, j). Each component of j takes the number of that of i."""
    rename = np.arange(len(component))
    rename[component[j]] = component[i]
    return rename[component]


def clusters_of(pairs: Iterable[IntArray]) -> tuple[IntArray, IntArray]:
    """Return the rows that have a duplicate, in rising order, and the smallest row of their clusters; shape (m,) each.

    Arrays of pairs are joined one after the other, since bands find the same pairs again: all of them at once would
    take memory for every repetition.
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
