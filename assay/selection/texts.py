"""Read the texts of many documents in any order, without holding all of them in memory."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.progress import counter
from assay.storage import Snapshot, clear_disk_errors

NEAR = 5_000
"""Gap in rows above which two separate reads cost less than one that reads the rows between."""


class TextsOnDisk(Sequence[str]):
    """Texts in a memory-mapped Arrow file. A text is decoded when it is indexed."""

    def __init__(self, column: pa.ChunkedArray, order: NDArray[np.int64]) -> None:
        """Show a column in another order. `order`: row of the column for each position, shape (n,)."""
        self._column, self._order = column, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return str(self._column[int(self._order[index])].as_py())


@contextmanager
def texts_on_disk(snapshot: Snapshot, rows: NDArray[np.int64]) -> Iterator[TextsOnDisk]:
    """Yield the texts of the given rows of a snapshot, in the order of `rows`.

    They are stored uncompressed in the temporary folder until the block ends. Raise InputError if a shard cannot be
    read, or the temporary folder is full.
    """
    wanted = np.unique(rows)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        file = Path(scratch) / "texts.arrow"
        schema = pa.schema({"text": pa.large_string()})
        with (
            clear_disk_errors(file),
            pa.OSFile(str(file), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
            counter(unit=" documents", what="texts", total=len(wanted)) as shown,
        ):
            for first, batch in batches_with(snapshot, wanted, ["text"]):
                here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + batch.num_rows)]
                column = batch["text"].cast(pa.large_string()).take(pa.array(here - first))
                writer.write_batch(pa.record_batch([column], schema=schema))
                shown.update(len(here))
        with pa.memory_map(str(file)) as mapped:
            yield TextsOnDisk(pa.ipc.open_file(mapped).read_all()["text"], np.searchsorted(wanted, rows))


def batches_with(
    snapshot: Snapshot, rows: NDArray[np.int64], columns: list[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the batches that have any of `rows`, which rise, each with the number of its first row."""
    breaks = np.flatnonzero(np.diff(rows) > NEAR) + 1
    for run in np.split(rows, breaks):
        if len(run):
            yield from snapshot.rows(int(run[0]), int(run[-1]) + 1, columns)
