"""Write the snapshot from the pieces: the kept documents, in the order of the source, and a table of the dropped."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.curation.card import build_card
from assay.curation.duplicates import Clusters, IntArray, PieceMarks, find_clusters, survivor_ids
from assay.curation.funnel import EXACT_REASON, NEAR_REASON, Funnel
from assay.curation.make import Counts, broken
from assay.curation.pieces import ABOUT, EXTRACTION, UNREADABLE, mark_types, piece_schema
from assay.curation.plan import BuildPlan, PieceFolder
from assay.curation.present import build_report
from assay.curation.samples import ReportSamples
from assay.errors import InputError
from assay.progress import counter
from assay.report import render_html
from assay.storage import (
    Snapshot,
    find_made,
    join,
    open_binary,
    open_parquet,
    parquet_writer,
    write_bytes,
    write_snapshot,
)

BoolArray = NDArray[np.bool_]
SHARD_MEGABYTES = 256
"""Size of a shard of the snapshot by default, in MiB."""
DROPPED, CLUSTERS, CARD, REPORT = "_dropped.parquet", "_clusters.parquet", "README.md", "report.html"
EXCERPT = 500
"""Characters that DROPPED keeps of a document."""
DROPPED_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "member": pa.string(),
        "row": pa.int64(),
        "reason": pa.string(),
        "value": pa.float64(),
        "detail": pa.string(),
        "tokens": pa.int64(),
        "excerpt": pa.large_string(),
    }
)
"""One row for each dropped document, and for each place in the source that could not be read.

`value`: what the filter measured. `detail`: the reason in words; for a duplicate, the id of the kept document.
`tokens`: UTF-8 bytes / 4.
"""
CLUSTERS_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "member": pa.string(),
        "row": pa.int64(),
        "kept_id": pa.string(),
        "kept": pa.bool_(),
        "same_text": pa.bool_(),
    }
)
"""One row for each document of a cluster, also the kept one. `same_text`: its normalised text equals that one's."""


def provenance_of(plan: BuildPlan, shard_megabytes: int) -> dict[str, Any]:
    """Return the provenance of a built snapshot: equal for equal sources and settings.

    Raise InputError if `shard_megabytes` is below 1.
    """
    if shard_megabytes < 1:
        raise InputError(f"shard_megabytes is {shard_megabytes}", fix="Give 1 or more")
    config = asdict(plan.config)
    config["columns"] = plan.config.columns.to_json()
    # As it is read from the manifest, to be compared with it: JSON has no tuples.
    config["clean"] = plan.config.clean.to_json()
    return {
        "sources": [{"uri": plan.source, "revision": plan.revision}],
        "config": {
            "format": plan.format,
            **config,
            "benchmarks": plan.benchmarks_digest,
            "shard_megabytes": shard_megabytes,
        },
    }


def assemble(folder: PieceFolder, place: str, *, shard_megabytes: int = SHARD_MEGABYTES) -> Snapshot:
    """Write the snapshot of complete pieces at `place`, unless it exists, and return it.

    Memory holds one row group of a piece and one of a shard. Raise InputError if a piece is missing or damaged, no
    document is kept, `place` holds something else, or the disk is full. Nothing is written to `place` then.
    """
    provenance = provenance_of(folder.plan, shard_megabytes)
    if found := find_made(place, provenance):
        return found
    marks = PieceMarks(folder)
    clusters = find_clusters(marks)
    funnel = Funnel.of(marks, clusters)
    if not funnel.found.documents:
        raise InputError("there is no row in it", where=folder.plan.source, fix="Give at least one document")
    if not funnel.kept.documents:
        raise _nothing_left(folder, funnel)
    work = _Assembly(folder, marks, clusters)

    def finish(snapshot: Snapshot) -> None:
        samples = work.write_tables(Path(snapshot.url))
        write_bytes(join(snapshot.url, CARD), build_card(snapshot, funnel, samples).encode())
        report = build_report(snapshot, funnel, clusters, samples)
        write_bytes(join(snapshot.url, REPORT), render_html(report).encode())

    write_snapshot(
        place,
        work.kept_rows(funnel.kept.documents),
        provenance={**provenance, "funnel": funnel.to_json()},
        shard_bytes=shard_megabytes * 2**20,
        keep=True,
        finish=finish,
    )
    written = find_made(place, provenance)  # that of another build with equal provenance, if it was faster
    assert written is not None
    return written


def _nothing_left(folder: PieceFolder, funnel: Funnel) -> InputError:
    reason = max(funnel.dropped, key=lambda each: funnel.dropped[each].documents, default="")
    if reason not in (UNREADABLE, EXTRACTION):
        return InputError(
            f"nothing is left of {funnel.found.documents:,} documents; most were dropped for: {reason or 'none'}",
            where=folder.plan.source,
            fix=f"The reasons are in {folder.url}; clean with other settings",
        )
    for piece in folder.plan.pieces:
        for batch in _read(folder.place(piece.name), ["_reason", "_detail", "_member"]):
            for row in batch.filter(pc.equal(batch["_reason"], reason)).to_pylist():
                what = "no place of it can be read" if reason == UNREADABLE else "no page of it gives a text"
                return InputError(
                    f"{what}; the first of {funnel.dropped[reason].documents:,} faults: {row['_detail']}",
                    where=f"{folder.plan.source}, {row['_member']}",
                    fix=f"All are in {folder.url}",
                )
    raise AssertionError("the footers count rows that no piece has")


class _Assembly:
    """Read the pieces twice: for the shards, and for the tables of dropped documents and of clusters."""

    def __init__(self, folder: PieceFolder, marks: PieceMarks, clusters: Clusters) -> None:
        self.folder, self.marks, self.clusters = folder, marks, clusters
        self.stays = survivor_ids(marks, clusters)

    def kept_rows(self, documents: int) -> Iterator[pa.RecordBatch]:
        """Yield the kept documents in order, without the columns about pieces."""
        with counter(unit=" documents", what="write", total=documents) as shown:
            for batch, gone, _ in self._rows(None):
                kept = batch.filter(pa.array(~gone)).drop_columns(list(ABOUT))
                yield kept
                shown.update(kept.num_rows)

    def write_tables(self, folder: Path) -> ReportSamples:
        """Write DROPPED and CLUSTERS, and return the figures and samples of the report."""
        samples = ReportSamples()
        columns = ["id", "text", "language", "contamination", "contaminated_by", *ABOUT]
        with (
            parquet_writer(folder / DROPPED, DROPPED_SCHEMA) as dropped,
            parquet_writer(folder / CLUSTERS, CLUSTERS_SCHEMA) as clusters,
            counter(unit=" documents", what="dropped", total=sum(map(_documents, self.marks.counts))) as shown,
        ):
            for batch, gone, place in self._rows(columns):
                members = place >= 0
                if members.any():
                    clusters.write_table(self._clusters(batch.filter(pa.array(members)), place[members]))
                if gone.any():
                    rows = batch.filter(pa.array(gone))
                    table = self._dropped(rows, place[gone])
                    dropped.write_table(table)
                    samples.add_dropped(rows, table)
                samples.add_kept(batch.filter(pa.array(~gone)))
                shown.update(batch.num_rows)
        return samples

    def _rows(self, columns: list[str] | None) -> Iterator[tuple[pa.RecordBatch, BoolArray, IntArray]]:
        """Yield rows, a mask of the dropped ones, and the position of each in the clusters or -1, shape (rows,)."""
        plan, clusters = self.folder.plan, self.clusters
        if columns is None:
            marks = mark_types(plan.config)
            schema = piece_schema(plan.arrow_schema, plan.config, plan.source)
            columns = [name for name in schema.names if name not in marks]
        for part, piece in enumerate(plan.pieces):
            number = int(self.marks.starts[part])
            for batch in _read(self.folder.place(piece.name), columns):
                # PieceMarks numbers only the documents that cleaning kept, so only these are counted on.
                clean = np.asarray(pc.equal(batch["_reason"], "").to_numpy(zero_copy_only=False), bool)
                numbers = np.where(clean, number + np.cumsum(clean) - 1, -1)
                number += int(clean.sum())
                place = np.searchsorted(clusters.rows, numbers)
                # The appended -2 is no number: it stands for a position behind the last cluster.
                hit = clean & (np.append(clusters.rows, -2)[place] == numbers)
                place = np.where(hit, place, -1)
                yield batch, ~clean | np.append(clusters.fallen, False)[place], place

    def _kept_ids(self, place: IntArray) -> pa.Array:
        """Return the id of the kept document of each cluster, and null for positions of -1."""
        rows, ids = self.stays
        wanted = np.searchsorted(rows, self.clusters.survivor[place[place >= 0]])
        where = np.full(len(place), -1)
        where[place >= 0] = wanted
        return ids.take(pa.array(where, mask=where < 0))

    def _clusters(self, batch: pa.RecordBatch, place: IntArray) -> pa.Table:
        fields = [
            batch["id"],
            batch["_member"],
            batch["_row"],
            self._kept_ids(place),
            pa.array(~self.clusters.fallen[place]),
            pa.array(self.clusters.same[place]),
        ]
        return pa.table(fields, schema=CLUSTERS_SCHEMA)

    def _dropped(self, batch: pa.RecordBatch, place: IntArray) -> pa.Table:
        same = np.append(self.clusters.same, False)[place]
        duplicate = pa.array(place >= 0)
        why = pa.array([EXACT_REASON if each else NEAR_REASON for each in same.tolist()], pa.string())
        fields = [
            batch["id"],
            batch["_member"],
            batch["_row"],
            pc.if_else(duplicate, why, batch["_reason"]),
            batch["_value"],
            pc.if_else(duplicate, self._kept_ids(place), batch["_detail"]),
            pc.divide(batch["_bytes"], 4),
            pc.utf8_slice_codeunits(batch["text"], 0, EXCERPT),
        ]
        return pa.table(fields, schema=DROPPED_SCHEMA)


def _documents(counts: Counts) -> int:
    return counts.kept + sum(documents for documents, _ in counts.dropped.values())


def _read(place: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a piece, one row group after the other."""
    # A call of `iter_batches` for the whole file would hold several row groups, which can be large.
    try:
        with open_binary(place) as raw, open_parquet(raw) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(row_groups=[group], columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise broken(place, error) from error
