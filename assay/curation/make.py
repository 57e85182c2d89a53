"""Making the pieces that are missing, in this process or in several."""

import json
import multiprocessing
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.curation.pieces import PieceMaker, piece_schema
from assay.curation.plan import Piece, PieceFolder
from assay.errors import InputError
from assay.progress import counter
from assay.sources import open_source
from assay.storage import exists, open_binary, published_file

FOOTER = b"assay"
Update = Callable[[int], object]


@dataclass(frozen=True)
class Counts:
    """What became of the documents of a piece, before duplicates are looked for."""

    kept: int = 0
    kept_bytes: int = 0
    """Of text, as it is kept."""
    dropped: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Reason -> documents, and bytes of their texts as they were."""


def make_pieces(folder: PieceFolder, pieces: Sequence[Piece], *, processes: int = 1) -> int:
    """Make the pieces that nobody has written yet; returns how many were made here.

    Each appears when it is complete, so that a killed run loses those in flight. Runs at once begin at different
    pieces and share the work. Raises InputError for what cannot be read or written, or where a process dies; the
    pieces that are there stay.
    """
    require_processes(processes)
    order = list(pieces)
    random.Random(os.getpid()).shuffle(order)
    with counter(unit=" documents", what="clean") as shown:
        if processes == 1 or len(order) < 2:
            return _make_all(folder, order, shown.update)
        return _in_processes(folder, [order[first::processes] for first in range(min(processes, len(order)))], shown)


def require_processes(count: int) -> None:
    """Raises InputError for none."""
    if count < 1:
        raise InputError(f"{count} processes", where="curation", fix="Give 1 or more")


def _make_all(folder: PieceFolder, pieces: Sequence[Piece], update: Update) -> int:
    plan = folder.plan
    if not pieces:
        return 0
    source, schema = open_source(plan.source), piece_schema(plan.arrow_schema, plan.config, plan.source)
    done = 0
    with PieceMaker(plan.config, plan.arrow_schema, plan.open_benchmarks()) as maker:
        for piece in pieces:
            if exists(folder.place(piece.name)):
                continue
            with published_file(folder.place(piece.name)) as path:
                _write(path, schema, maker, source, piece, update)
            done += 1
    return done


def _write(path: Any, schema: pa.Schema, maker: PieceMaker, source: Any, piece: Piece, update: Update) -> None:
    counted = _Counting()
    with pq.ParquetWriter(
        path,
        schema,
        compression={name: "zstd" if _packs(name) else "none" for name in schema.names},
        use_dictionary=[name for name in schema.names if _packs(name) and name not in ("id", "text")],
        write_statistics=False,
    ) as writer:
        for batch in maker.make(source, piece.members):
            writer.write_batch(batch)
            counted.add(batch)
            update(batch.num_rows)
        writer.add_key_value_metadata({FOOTER: counted.to_json()})


def _packs(name: str) -> bool:
    """Whether a column gets smaller by packing: hashes do not."""
    return not name.startswith(("_digest", "_bits", "_band_"))


class _Counting:
    """Adds up the Counts of a piece."""

    def __init__(self) -> None:
        self._documents: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        for reason, size in zip(batch["_reason"].to_pylist(), batch["_bytes"].to_pylist(), strict=True):
            self._documents[reason] += 1
            self._bytes[reason] += size

    def to_json(self) -> str:
        return json.dumps(
            {reason: [self._documents[reason], self._bytes[reason]] for reason in sorted(self._documents)}
        )


def read_counts(url: str) -> Counts:
    """From a piece's footer. Raises InputError where it is damaged or gone."""
    try:
        with open_binary(url) as file:
            found = json.loads(pq.ParquetFile(file).metadata.metadata[FOOTER])
        kept, kept_bytes = found.pop("", (0, 0))
        dropped = {reason: (documents, size) for reason, (documents, size) in found.items()}
        return Counts(kept, kept_bytes, dropped)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise broken(url, error) from error


def broken(url: str, error: Exception) -> InputError:
    """What to say of a piece that cannot be read."""
    words = str(error).splitlines() or [type(error).__name__]
    return InputError(f"this piece cannot be read: {words[0]}", where=url, fix="Remove it, and run the same again")


def _in_processes(folder: PieceFolder, shares: list[list[Piece]], shown: Any) -> int:
    """Shares of the pieces, a process each."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    pipes, workers = [], []
    try:
        for share in shares:
            mine, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(folder.url, share, theirs), daemon=False)
            worker.start()
            theirs.close()  # else the end of the worker would not be seen
            pipes.append(mine)
            workers.append(worker)
        return _listen(pipes, shown)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _listen(pipes: list[Connection], shown: Any) -> int:
    """Until every worker is done; returns the pieces they made."""
    done, left = 0, list(pipes)
    while left:
        for pipe in wait(left):
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
            except EOFError:
                raise InputError(
                    "a process that made pieces died",
                    where="curation",
                    fix="Run the same again; fewer need less memory",
                ) from None
            if kind == "rows":
                shown.update(value)
            elif kind == "error":
                raise InputError(value)
            else:
                done += value
                left.remove(pipe)
    return done


def _work(url: str, pieces: list[Piece], told: Connection) -> None:
    """In a process of its own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _leave)
    try:
        done = _make_all(PieceFolder.open(url), pieces, lambda rows: told.send(("rows", rows)))
        told.send(("done", done))
    except InputError as error:
        told.send(("error", str(error)))
    except KeyboardInterrupt:
        pass


def _leave(_signal: int, _frame: object) -> None:
    """When another process failed: as an exception, so that what is half written goes."""
    raise SystemExit(1)


def _end_with_parent() -> None:
    """A parent that is killed stops nobody: its children would go on, and their pieces might be made twice."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
