"""Make the pieces that do not exist yet, in this process or in several."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from assay.curation.pieces import PieceMaker, piece_schema
from assay.curation.plan import BuildPlan, Piece, PieceFolder
from assay.errors import InputError
from assay.parallel import in_processes, require_processes
from assay.progress import counter
from assay.sources import Source, open_source
from assay.storage import deal, exists, open_binary, open_parquet, parquet_writer, parse_json, published_file

FOOTER, OF = b"assay", b"assay.of"
PASSED = b"assay.passed"
"""Key of the footer with what was passed over; absent if nothing was."""
FIX = "Remove it, and run the same again"
Update = Callable[[int], object]


@dataclass(frozen=True)
class Counts:
    """Counts of the documents of a piece, before duplicates are searched."""

    kept: int = 0
    kept_bytes: int = 0
    """UTF-8 bytes of the kept texts."""
    dropped: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Reason -> documents, and UTF-8 bytes of their texts when they were dropped."""
    passed: dict[str, int] = field(default_factory=dict)
    """Reason -> parts of the members that hold no documents."""


def make_pieces(folder: PieceFolder, pieces: Sequence[Piece], *, processes: int = 1, location: str = "") -> int:
    """Make the pieces that no process has written yet, and return how many were made here.

    A piece appears when it is complete: a killed run loses only the pieces it works on. Runs at the same time share
    the work. `location`: URL of the source if it holds a secret, which the plan does not. Raise InputError if something
    cannot be read or written, if a member changed since the plan was made, or if a process dies; the existing pieces
    stay.
    """
    require_processes(processes, "curation")
    order = list(pieces)
    # Each run has its own order, so that two that run at once rarely work on the same piece. If they do, they write
    # the same bytes.
    random.Random(os.getpid()).shuffle(order)
    with counter(unit=" documents", what="clean") as shown:
        if processes == 1 or len(order) < 2:
            return _make_all(folder, order, shown.update, location)
        work = partial(_make_share, folder.url, location)
        shares = deal(order, processes)
        return in_processes(work, shares, shown.update, processes=processes, doing="made pieces", where="curation")


def _make_share(url: str, location: str, pieces: Sequence[Piece], update: Update) -> int:
    return _make_all(PieceFolder.open(url), pieces, update, location)


def _make_all(folder: PieceFolder, pieces: Sequence[Piece], update: Update, location: str) -> int:
    plan = folder.plan
    if not pieces:
        return 0
    source, schema = open_source(location or plan.source), piece_schema(plan.arrow_schema, plan.config, plan.source)
    done = 0
    with PieceMaker(plan.config, plan.arrow_schema, plan.open_benchmarks()) as maker:
        for piece in pieces:
            if exists(folder.place(piece.name)):
                continue
            with published_file(folder.place(piece.name)) as path:
                _write(path, place_of(folder, piece), schema, maker, source, piece, update)
                _check_unchanged(source, plan, piece)
            done += 1
    return done


def _check_unchanged(source: Source, plan: BuildPlan, piece: Piece) -> None:
    """Raise InputError if a member of a piece is not what it was when the build was planned."""
    # A piece of other content would be used again under the revision of the plan.
    for member, checksum in source.checksums(piece.members if plan.checksums else ()).items():
        if checksum != plan.checksums.get(member):
            raise InputError(
                "this file changed after the build was planned",
                where=f"{plan.source}, {member}",
                fix="Run the same again when nothing writes to it",
            )


def _write(path: Any, of: str, schema: pa.Schema, maker: PieceMaker, source: Any, piece: Piece, update: Update) -> None:
    counted = _Counting()
    with parquet_writer(
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
        notes = {FOOTER: counted.to_json(), OF: of}
        if maker.passed:
            notes[PASSED] = json.dumps(dict(sorted(maker.passed.items())))
        writer.add_key_value_metadata(notes)


def _packs(name: str) -> bool:
    """Return True if a column is compressed. Hashes are random bytes, which compression does not make smaller."""
    return not name.startswith(("_digest", "_bits", "_band_"))


class _Counting:
    """Sum up the Counts of a piece while it is written."""

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


def place_of(folder: PieceFolder, piece: Piece) -> str:
    """Return what the footer of a piece states of its place."""
    return f"{folder.plan.key} {piece.name}"


def read_counts(folder: PieceFolder, piece: Piece) -> Counts:
    """Read the counts in the footer of a piece. Raise InputError if it is missing, damaged, or another piece."""
    url, own = folder.place(piece.name), place_of(folder, piece)
    try:
        with open_binary(url) as raw:
            metadata = open_parquet(raw).metadata
        notes = metadata.metadata
        found = parse_json(dict[str, tuple[int, int]], notes[FOOTER], what="this piece", where=url, fix=FIX)
        passed = parse_json(dict[str, int], notes.get(PASSED, b"{}"), what="this piece", where=url, fix=FIX)
        of = notes.get(OF, own.encode()).decode()  # pieces of earlier releases do not state it
        if of != own or sum(documents for documents, _ in found.values()) != metadata.num_rows:
            raise pa.ArrowInvalid(f"it has {metadata.num_rows:,} rows of {of}, not of {own}")
        kept, kept_bytes = found.pop("", (0, 0))
        return Counts(kept, kept_bytes, found, passed)
    except InputError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise broken(url, error) from error


def broken(url: str, error: Exception) -> InputError:
    """Return the error for a piece that cannot be read."""
    words = str(error).splitlines() or [type(error).__name__]
    return InputError(f"this piece cannot be read: {words[0]}", where=url, fix=FIX)
