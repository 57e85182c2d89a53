"""Write a selection as a snapshot: the documents with their scores, a data card, a report, and the near-duplicates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from assay.model import Calibration
from assay.progress import counter
from assay.report import render_html
from assay.scoring import Scores
from assay.selection.card import data_card
from assay.selection.choose import Choice, Step, duplicates_of, funnel_of
from assay.selection.cut import Cut
from assay.selection.facts import SelectionFacts, edges_of
from assay.selection.mix import Mix, at_cut
from assay.selection.present import DUPLICATES, selection_report
from assay.selection.request import SelectionRequest
from assay.selection.shares import Fallen, Selecting, SelectionPlan, Shift, WrittenShare
from assay.storage import (
    ROWS_PER_SHARD,
    Snapshot,
    find_made,
    join,
    only_known_fields,
    parquet_bytes,
    write_bytes,
    write_manifest,
    write_snapshot,
)

CARD, REPORT = "README.md", "report.html"


def provenance_of(scores: Scores, snapshot: Snapshot, request: SelectionRequest) -> dict[str, Any]:
    """Return the provenance of a selection: equal for the same corpus, model, scores and request."""
    plan = scores.folder.plan
    return {
        "sources": snapshot.manifest.provenance.get("sources", []),
        "corpus": plan.snapshot,
        "model": plan.model,
        "scores": plan.key,
        "request": request.to_json(),
    }


@dataclass(frozen=True)
class Writing:
    """A selection that is being written: what it is of, and how far the corpus has the mix of the calibration."""

    scores: Scores
    corpus: Snapshot
    request: SelectionRequest
    mix: Mix | str | None = None
    calibration: Calibration | None = None

    def plan(self, choice: Choice) -> SelectionPlan:
        """Return the plan of what is written."""
        return self.plan_to(choice.end, choice.fallen)

    def plan_to(self, cut: Cut, fallen: Sequence[Fallen] = ()) -> SelectionPlan:
        """Return the plan of what is written, down to a cut and without some near-duplicates."""
        mix, scores = self.mix, self.scores
        shift = isinstance(mix, Mix) and self.calibration is not None and self.request.correct_p_keep
        return SelectionPlan(
            scores.folder.url,
            scores.rubric,
            scores.histogram.bins,
            cut,
            edges_of(scores),
            list(fallen),
            Shift(mix.labelled, mix.estimated) if shift and isinstance(mix, Mix) else None,
        )

    def provenance(self, cut: float, promised: int, realised: int, funnel: Sequence[Step]) -> dict[str, Any]:
        """Return all that the manifest says of the selection."""
        given = {
            **provenance_of(self.scores, self.corpus, self.request),
            "tokens_promised": promised,
            "tokens_realised": realised,
            "cut": cut,
            "funnel": [[step.name, step.documents, step.tokens] for step in funnel],
        }
        if isinstance(self.mix, Mix) and self.calibration is not None:
            given["mix"] = at_cut(self.mix, self.scores, self.calibration, cut).to_json()
        elif isinstance(self.mix, str):
            given["mix"] = self.mix
        return given

    def add_files(self, selection: Snapshot, facts: SelectionFacts, fallen: Sequence[Fallen]) -> None:
        """Write the near-duplicates, the data card and the report beside the shards."""
        duplicates = duplicates_of(fallen)
        schema = pa.schema({"id": pa.string(), "kept_id": pa.string()})
        table = pa.Table.from_pandas(duplicates, schema=schema if duplicates.empty else None, preserve_index=False)
        write_bytes(join(selection.url, DUPLICATES), parquet_bytes(table))
        write_bytes(join(selection.url, CARD), data_card(selection, self.corpus, self.request, facts).encode())
        report = selection_report(selection, self.scores, self.corpus, self.request, facts, duplicates)
        write_bytes(join(selection.url, REPORT), render_html(report).encode())


def write_selection(
    scores: Scores,
    snapshot: Snapshot,
    request: SelectionRequest,
    choice: Choice,
    place: str,
    *,
    mix: Mix | str | None = None,
    calibration: Calibration | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> Snapshot:
    """Write the chosen documents, in the order of the corpus and with all its columns, as a new snapshot.

    `mix`: what `compare_mix` returned, with the calibration, for the provenance and the corrected p_keep. A column of
    the corpus with the name of a column in ADDED is kept as `source_…`. The same choice gives the same
    bytes. If another process wrote the same selection meanwhile, it is returned. Raise InputError if the corpus is gone
    or the disk is full. Nothing is written to `place` then.
    """
    writing = Writing(scores, snapshot, request, mix, calibration)
    provenance = writing.provenance(choice.cut, choice.promised, choice.realised, choice.funnel)
    work = Selecting(writing.plan(choice), snapshot, scores.folder)

    def rows() -> Iterator[pa.RecordBatch]:
        with counter(total=len(choice.rows), unit=" documents", what="writing") as shown:
            for batch in work.rows():
                yield batch
                shown.update(batch.num_rows)

    write_snapshot(
        place,
        rows(),
        provenance=provenance,
        tokens=("tokens", scores.folder.plan.tokenizer),
        rows_per_shard=rows_per_shard,
        keep=True,
        finish=lambda selection: writing.add_files(selection, work.facts.with_texts(snapshot), choice.fallen),
    )
    written = find_made(place, provenance)  # that of another process, if it was faster
    assert written is not None
    return written


@only_known_fields
@dataclass(frozen=True)
class Draft:
    """What is known of a selection before its shards are written."""

    plan: SelectionPlan
    place: str
    promised: int
    reached: tuple[int, int]
    """Documents and tokens down to the cut."""
    taken: tuple[int, int]
    """Documents and tokens without near-duplicates."""


def finish_selection(writing: Writing, draft: Draft, written: Sequence[WrittenShare]) -> Snapshot:
    """Make a selection of the shards that several processes wrote, with the bytes that `write_selection` gives.

    `written` is in the order of the corpus. No document is read.
    """
    facts = SelectionFacts.merge([each.facts for each in written])
    funnel = funnel_of(writing.scores, draft.reached, draft.taken)
    return write_manifest(
        draft.place,
        [shard for each in written for shard in each.shards],
        tokenizer=writing.scores.folder.plan.tokenizer,
        provenance=writing.provenance(facts.lowest, draft.promised, draft.taken[1], funnel),
        finish=lambda selection: writing.add_files(selection, facts, draft.plan.fallen),
    )
