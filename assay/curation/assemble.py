"""From pieces to the snapshot: what is kept, in the order of the source, and beside it what is not, and why."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.curation.card import build_card
from assay.curation.duplicates import Clusters, IntArray, PieceMarks, find_clusters, survivor_ids
from assay.curation.funnel import EXACT_REASON, NEAR_REASON, Funnel
from assay.curation.make import Counts, broken
from assay.curation.pieces import ABOUT, mark_types, piece_schema
from assay.curation.plan import FORMAT, BuildPlan, PieceFolder
from assay.curation.present import build_report
from assay.curation.samples import DriftLook
from assay.errors import InputError
from assay.progress import counter
from assay.report import render_html
from assay.storage import Snapshot, find_made, join, open_binary, write_bytes, write_snapshot

BoolArray = NDArray[np.bool_]
SHARD_MEGABYTES = 256
DROPPED, CLUSTERS, CARD, REPORT = "_dropped.parquet", "_clusters.parquet", "README.md", "report.html"
EXCERPT = 500
"""Characters that are kept of a document that is dropped."""
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
"""One row a document that was dropped, and a place that could not be read: where it came from, why, what was measured.
`detail`: more in words; of a duplicate, the id of the document that stays. `tokens`: bytes / 4."""
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
"""One row a document that has a duplicate, the one that stays included. `same_text`: as normalised."""


def provenance_of(plan: BuildPlan, shard_megabytes: int) -> dict[str, Any]:
    """What a built snapshot is made of, all of it content: the same for the same work.

    Raises InputError for shards of no size.
    """
    if shard_megabytes < 1:
        raise InputError(f"shard_megabytes is {shard_megabytes}", fix="Give 1 or more")
    config = asdict(plan.config)
    config["clean"]["languages"] = list(plan.config.clean.languages)
    return {
        "sources": [{"uri": plan.source, "revision": plan.revision}],
        "config": {
            "format": FORMAT,
            **config,
            "benchmarks": plan.benchmarks_digest,
            "shard_megabytes": shard_megabytes,
        },
    }


def assemble(folder: PieceFolder, place: str, *, shard_megabytes: int = SHARD_MEGABYTES) -> Snapshot:
    """Write the snapshot of pieces that are all there, unless it is there already.

    Memory holds one row group of a piece and of a shard. Raises InputError where pieces are missing or damaged,
    nothing is left to write, something else lies at `place`, or the disk is full; then there is nothing new there.
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
        reason = max(funnel.dropped, key=lambda each: funnel.dropped[each].documents, default="")
        raise InputError(
            f"nothing is left of {funnel.found.documents:,} documents; most were dropped for: {reason or 'none'}",
            where=folder.plan.source,
            fix=f"Their reasons are in {folder.url}; clean with other settings",
        )
    work = _Assembly(folder, marks, clusters)

    def finish(snapshot: Snapshot) -> None:
        look = work.write_tables(Path(snapshot.url))
        write_bytes(join(snapshot.url, CARD), build_card(snapshot, funnel, look).encode())
        write_bytes(join(snapshot.url, REPORT), render_html(build_report(snapshot, funnel, clusters, look)).encode())

    write_snapshot(
        place,
        work.kept_rows(funnel.kept.documents),
        provenance={**provenance, "funnel": funnel.to_json()},
        shard_bytes=shard_megabytes * 2**20,
        keep=True,
        finish=finish,
    )
    written = find_made(place, provenance)  # another build may have come there meanwhile
    assert written is not None
    return written


class _Assembly:
    """Two passes over the pieces: for the shards, and for what lies beside them."""

    def __init__(self, folder: PieceFolder, marks: PieceMarks, clusters: Clusters) -> None:
        self.folder, self.marks, self.clusters = folder, marks, clusters
        self.stays = survivor_ids(marks, clusters)

    def kept_rows(self, documents: int) -> Iterator[pa.RecordBatch]:
        """The documents that are kept, in order, with the columns that are theirs."""
        with counter(unit=" documents", what="write", total=documents) as shown:
            for batch, gone, _ in self._rows(None):
                kept = batch.filter(pa.array(~gone)).drop_columns(list(ABOUT))
                yield kept
                shown.update(kept.num_rows)

    def write_tables(self, folder: Path) -> DriftLook:
        """DROPPED and CLUSTERS; returns what the report shows."""
        look = DriftLook()
        columns = ["id", "text", "language", "contamination", "contaminated_by", *ABOUT]
        with (
            pq.ParquetWriter(folder / DROPPED, DROPPED_SCHEMA, compression="zstd") as dropped,
            pq.ParquetWriter(folder / CLUSTERS, CLUSTERS_SCHEMA, compression="zstd") as clusters,
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
                    look.add_dropped(rows, table)
                look.add_kept(batch.filter(pa.array(~gone)))
                shown.update(batch.num_rows)
        return look

    def _rows(self, columns: list[str] | None) -> Iterator[tuple[pa.RecordBatch, BoolArray, IntArray]]:
        """(rows, whether each is dropped, its place in the clusters or -1), some thousands at a time."""
        plan, clusters = self.folder.plan, self.clusters
        if columns is None:
            marks = mark_types(plan.config)
            schema = piece_schema(plan.arrow_schema, plan.config, plan.source)
            columns = [name for name in schema.names if name not in marks]
        for part, piece in enumerate(plan.pieces):
            number = int(self.marks.starts[part])
            for batch in _read(self.folder.place(piece.name), columns):
                clean = np.asarray(pc.equal(batch["_reason"], "").to_numpy(zero_copy_only=False), bool)
                numbers = np.where(clean, number + np.cumsum(clean) - 1, -1)
                number += int(clean.sum())
                place = np.searchsorted(clusters.rows, numbers)
                hit = clean & (np.append(clusters.rows, -2)[place] == numbers)
                place = np.where(hit, place, -1)
                yield batch, ~clean | np.append(clusters.fallen, False)[place], place

    def _kept_ids(self, place: IntArray) -> pa.Array:
        """Id of the document that stays; null for places of -1."""
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
    """One row group after the other. Only these can be many bytes: `iter_batches` would hold several."""
    try:
        with open_binary(place) as raw, pq.ParquetFile(raw) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(row_groups=[group], columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise broken(place, error) from error
