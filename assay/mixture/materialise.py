"""Write the documents of a mixture: as one stream in a seeded order, or as a folder for each cell.

A stream has each document as often as the mixture. Copies of one document are the r-th part of the stream apart, where
r is its repeat. Documents are first dealt out to files on a local disk, one for each stretch of the stream or each
cell, and then sorted file by file: the disk holds the mixture, the memory one stretch.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.mixture.draw import hashed
from assay.mixture.loaders import cell_folder, folder_names
from assay.mixture.manifest import Mixture
from assay.mixture.references import place_of
from assay.progress import counter
from assay.scoring import Part
from assay.sources import free_names
from assay.storage import Snapshot, clear_disk_errors, join, read_parquet, write_snapshot

STREAM = "stream"
STRETCH_TOKENS = 32_000_000
"""Tokens of a stretch of the stream, which is sorted in memory: some 130 MB of text."""
OPEN = 200
"""Files that are open at once. More stretches or cells need another pass over the corpus."""
ADDED = {
    "quality": pa.float64(),
    "topic": pa.string(),
    "bin": pa.int32(),
    "repeat": pa.int32(),
    "copy": pa.int32(),
    "tokens": pa.int64(),
    "corpus_row": pa.int64(),
}
"""Columns beyond those of the corpus. `copy`: number of the copy, from 0."""
ORDER = "_order"


def write_stream(mixture: Mixture, output: str, corpus: Snapshot, parts: Sequence[Part]) -> Snapshot:
    """Write the stream of a mixture as a snapshot below it, in the order of the seed."""
    stretches = max(1, -(-mixture.copied_tokens // STRETCH_TOKENS))
    seed = int(mixture.request["seed"])

    def copies(table: pd.DataFrame) -> pd.DataFrame:
        found = table.loc[table.index.repeat(table["repeat"])]
        number = found.groupby(level=0).cumcount().to_numpy()
        phase = hashed(found["id"].to_numpy(object), seed, "order")
        order = (number + phase) / found["repeat"].to_numpy()
        return found.assign(copy=number, **{ORDER: order}, file=(order * stretches).astype(np.int64))

    def batches() -> Iterator[pa.RecordBatch]:
        for table in _dealt(output, corpus, parts, stretches, copies):
            keys = table.select([ORDER, "id", "copy"]).to_pandas()
            at = keys.sort_values([ORDER, "id", "copy"]).index.to_numpy()
            yield from table.drop_columns([ORDER]).take(pa.array(at)).combine_chunks().to_batches()

    return _written(mixture, join(output, STREAM), batches())


def write_cells(mixture: Mixture, output: str, corpus: Snapshot, parts: Sequence[Part]) -> int:
    """Write a snapshot for each cell, with each document once and its repeat. Return the number of cells."""
    cells = [cell for cell in mixture.cells if cell.documents]
    number = {(cell.topic, cell.bin): at for at, cell in enumerate(cells)}
    names = folder_names(mixture)

    def once(table: pd.DataFrame) -> pd.DataFrame:
        file = [number[cell] for cell in zip(table["topic"], table["bin"], strict=True)]
        return table.assign(copy=0, **{ORDER: 0.0}, file=file)

    for cell, table in zip(cells, _dealt(output, corpus, parts, len(cells), once), strict=True):
        batches = table.drop_columns([ORDER]).combine_chunks().to_batches()
        _written(mixture, join(output, cell_folder(cell, names)), iter(batches))
    return len(cells)


def _written(mixture: Mixture, place: str, batches: Iterator[pa.RecordBatch]) -> Snapshot:
    given = {"mixture": mixture.version, "corpus": mixture.corpus, "request": dict(mixture.request)}
    return write_snapshot(place, batches, provenance=given, tokens=("tokens", mixture.tokenizer), replace=True)


def _dealt(
    output: str,
    corpus: Snapshot,
    parts: Sequence[Part],
    files: int,
    deal: Callable[[pd.DataFrame], pd.DataFrame],
) -> Iterator[pa.Table]:
    """Yield the documents of each file, in the order of the files.

    `deal` adds to references the columns `file`, `copy` and ORDER, one row for each document that is written.
    """
    for first in range(0, files, OPEN):
        some = range(first, min(first + OPEN, files))
        with tempfile.TemporaryDirectory(prefix="assay-") as scratch, clear_disk_errors(Path(scratch)):
            places = {number: Path(scratch) / f"{number}.arrow" for number in some}
            with ExitStack() as stack:
                writers: dict[int, pa.RecordBatchStreamWriter] = {}
                for batch, file in _documents(output, corpus, parts, deal):
                    for number in np.unique(file).tolist():
                        if number not in places:
                            continue
                        if number not in writers:
                            sink = stack.enter_context(pa.OSFile(str(places[number]), "wb"))
                            writers[number] = stack.enter_context(pa.ipc.new_stream(sink, batch.schema))
                        writers[number].write_batch(batch.take(pa.array(np.flatnonzero(file == number))))
            for place in places.values():
                if place.exists():
                    with pa.memory_map(str(place)) as mapped:
                        yield pa.ipc.open_stream(mapped).read_all()


def _documents(
    output: str, corpus: Snapshot, parts: Sequence[Part], deal: Callable[[pd.DataFrame], pd.DataFrame]
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    with counter(total=sum(part.stop - part.start for part in parts), unit=" documents", what="documents") as shown:
        for part in parts:
            table = read_parquet(place_of(output, part)).to_pandas()
            dealt = deal(table).rename(columns={"row": "corpus_row"}).sort_values("corpus_row", kind="stable")
            rows = dealt["corpus_row"].to_numpy(np.int64)
            if len(rows):
                for first, batch in corpus.rows(int(rows[0]), int(rows[-1]) + 1):
                    low, high = np.searchsorted(rows, [first, first + batch.num_rows])
                    if low == high:
                        continue
                    here = dealt.iloc[low:high]
                    chosen = batch.take(pa.array(rows[low:high] - first))
                    fields = {kept: chosen[name] for name, kept in free_names(chosen.schema.names, ADDED).items()}
                    fields |= {name: pa.array(here[name], kind, from_pandas=True) for name, kind in ADDED.items()}
                    fields[ORDER] = pa.array(here[ORDER], pa.float64())
                    yield pa.record_batch(list(fields.values()), names=list(fields)), here["file"].to_numpy(np.int64)
            shown.update(part.stop - part.start)
