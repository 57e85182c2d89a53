"""Find duplicates among the documents of all pieces: pairs by band, clusters, and the kept document of each cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.curation.make import Counts, broken, read_counts
from assay.curation.pieces import band_name, mark_types
from assay.curation.plan import PieceFolder, pairs_name
from assay.dedup import EXACT, clusters_of, pairs_of_band
from assay.progress import bar
from assay.storage import exists, open_binary, open_parquet, published_file, read_parquet, write_parquet

IntArray = NDArray[np.int64]
ROWS = 5_000
"""Rows of a piece that are read at once."""


class PieceMarks:
    """The marks of all documents that cleaning kept. They are numbered from 0, in the order of the pieces."""

    def __init__(self, folder: PieceFolder) -> None:
        """Open nothing yet. Every method raises InputError if a piece that it reads is missing or damaged."""
        self.folder = folder

    @cached_property
    def counts(self) -> list[Counts]:
        """Return the counts of each piece."""
        return [read_counts(self.folder, piece) for piece in self.folder.plan.pieces]

    @cached_property
    def starts(self) -> IntArray:
        """Return the number of the first document of each piece, then the number of documents; shape (pieces + 1,)."""
        return np.cumsum([0, *(counts.kept for counts in self.counts)], dtype=np.int64)

    def column(self, part: int, name: str) -> Iterator[pa.Array]:
        """Yield a column of the documents of a piece that cleaning kept, up to ROWS rows at a time."""
        place = self.folder.place(self.folder.plan.pieces[part].name)
        # The mark of a dropped document is null. Other columns are not, so the digest is read with them.
        columns = [name] if name in mark_types(self.folder.plan.config) else [name, "_digest"]
        try:
            with open_binary(place) as file:
                for batch in open_parquet(file).iter_batches(ROWS, columns=columns):
                    yield batch[name].filter(batch[columns[-1]].is_valid())
        except (OSError, pa.ArrowException) as error:
            raise broken(place, error) from error

    def take(self, part: int, name: str, rows: IntArray) -> pa.Array:
        """Return a column at some documents of a piece. `rows` are counted from its first document, and rise."""
        found, at = [], 0
        for cells in self.column(part, name):
            low, high = np.searchsorted(rows, [at, at + len(cells)])
            found.append(cells.take(pa.array(rows[low:high] - at)))
            at += len(cells)
        return pa.concat_arrays(found)

    def keys(self, part: int, band: int) -> NDArray[np.uint64]:
        """Return the key of each document of a piece in a band, shape (documents,)."""
        if band == EXACT:
            found = [_bytes(cells).view("<u8")[:, 0] for cells in self.column(part, "_digest")]
        else:
            found = [np.asarray(cells.to_numpy(), np.uint64) for cells in self.column(part, band_name(band))]
        return np.concatenate([np.empty(0, np.uint64), *found])

    def bits(self, part: int, rows: IntArray) -> NDArray[np.uint8]:
        """Return the low bits of the MinHash values of some documents, shape (rows, permutations)."""
        return _bytes(self.take(part, "_bits", rows))

    def digests(self, part: int, rows: IntArray) -> NDArray[np.uint64]:
        """Return the digests of the normalised texts of some documents, shape (rows, 2)."""
        return _bytes(self.take(part, "_digest", rows)).view("<u8")


def _bytes(cells: pa.FixedSizeBinaryArray) -> NDArray[np.uint8]:
    """Return the bytes of the cells without a copy, shape (cells, width)."""
    width = cells.type.byte_width
    data = np.frombuffer(cells.buffers()[1] or b"", np.uint8)
    return data[cells.offset * width :][: len(cells) * width].reshape(-1, width)


def search_bands(folder: PieceFolder, bands: Sequence[int]) -> int:
    """Find the pairs of the bands that no process has searched yet, and return how many were searched here.

    Raise InputError if a piece is missing.
    """
    marks, done = PieceMarks(folder), 0
    for band in bar(bands, unit=" bands", what="duplicates"):
        place = folder.place(pairs_name(band))
        if exists(place):
            continue
        pairs = pairs_of_band(marks, band, folder.plan.config.dedup)
        table = pa.table({"one": pairs[:, 0], "other": pairs[:, 1]})
        with published_file(place) as path:
            write_parquet(table, path)
        done += 1
    return done


@dataclass(frozen=True)
class Clusters:
    """Documents that have duplicates, numbered as in PieceMarks; shape (m,) each."""

    rows: IntArray
    """Numbers of the documents, rising."""
    survivor: IntArray
    """Kept document of each one's cluster: the longest, then the one with the least digest, then the first."""
    same: NDArray[np.bool_]
    """True if the normalised text equals that of the kept document."""
    bytes: IntArray
    """UTF-8 bytes of the text."""

    @property
    def fallen(self) -> NDArray[np.bool_]:
        """Return the mask of the documents that are dropped."""
        return self.survivor != self.rows


def find_clusters(marks: PieceMarks) -> Clusters:
    """Form clusters from the pairs of all bands, which must exist.

    Memory: about 150 bytes for each document that has a duplicate. Raise InputError if a file is missing or damaged.
    """
    folder = marks.folder
    rows, cluster = clusters_of(_pairs(folder.place(pairs_name(band))) for band in folder.plan.bands)
    sizes = np.empty(len(rows), np.int64)
    digests = np.empty((len(rows), 2), np.uint64)
    for part, mine in parts_of(marks, rows):
        within = rows[mine] - marks.starts[part]
        sizes[mine] = marks.take(part, "_bytes", within).to_numpy()
        digests[mine] = marks.digests(part, within)
    # The digest comes before the row number: the kept text does not depend on the order of the files in the source.
    order = np.lexsort((rows, digests[:, 1], digests[:, 0], -sizes, cluster))
    first = np.flatnonzero(np.append(True, np.diff(cluster[order]) != 0)) if len(rows) else order
    best = order[first][np.unique(cluster, return_inverse=True)[1]] if len(rows) else order
    return Clusters(rows, rows[best], (digests == digests[best]).all(axis=1), sizes)


def parts_of(marks: PieceMarks, rows: IntArray) -> list[tuple[int, slice]]:
    """Return each piece with any of `rows`, which rise, and the slice of `rows` that is in it."""
    edges = np.searchsorted(rows, marks.starts)
    return [(part, slice(*edges[part : part + 2])) for part in range(len(edges) - 1) if edges[part] < edges[part + 1]]


def _pairs(place: str) -> IntArray:
    try:
        table = read_parquet(place)
        return np.stack([table["one"].to_numpy(), table["other"].to_numpy()], axis=1)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise broken(place, error) from error


def survivor_ids(marks: PieceMarks, clusters: Clusters) -> tuple[IntArray, pa.Array]:
    """Return the kept documents of all clusters, rising, and their ids."""
    kept = np.unique(clusters.survivor)
    ids = [marks.take(part, "id", kept[mine] - marks.starts[part]) for part, mine in parts_of(marks, kept)]
    return kept, pa.concat_arrays(ids) if ids else pa.array([], pa.string())
