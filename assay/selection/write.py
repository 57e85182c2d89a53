"""Write a selection as a snapshot: the documents with their scores, a data card, a report, and the near-duplicates."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.model import Calibration
from assay.progress import counter
from assay.report import render_html
from assay.scoring import Scores
from assay.selection.card import data_card
from assay.selection.choose import Choice
from assay.selection.columns import ADDED
from assay.selection.mix import Mix, at_cut, shifted
from assay.selection.present import DUPLICATES, selection_report
from assay.selection.request import SelectionRequest
from assay.selection.texts import batches_with
from assay.sources import free_names
from assay.storage import Snapshot, find_made, join, parquet_bytes, write_bytes, write_snapshot

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


def write_selection(
    scores: Scores,
    snapshot: Snapshot,
    request: SelectionRequest,
    choice: Choice,
    place: str,
    *,
    mix: Mix | str | None = None,
    calibration: Calibration | None = None,
) -> Snapshot:
    """Write the chosen documents, in the order of the corpus and with all its columns, as a new snapshot.

    `mix`: what `compare_mix` returned, with the calibration, for the provenance and the corrected p_keep. A column of
    the corpus with the name of a column in ADDED is kept as `source_…`. The same choice gives the same
    bytes. If another process wrote the same selection meanwhile, it is returned. Raise InputError if the corpus is gone
    or the disk is full. Nothing is written to `place` then.
    """
    provenance = {
        **provenance_of(scores, snapshot, request),
        "tokens_promised": choice.promised,
        "tokens_realised": choice.realised,
        "cut": choice.cut,
        "funnel": [[step.name, step.documents, step.tokens] for step in choice.funnel],
    }

    correct: Callable[[pd.Series], pd.Series] | None = None
    if isinstance(mix, Mix) and calibration is not None:
        found = at_cut(mix, scores, calibration, choice.cut)
        provenance["mix"] = found.to_json()
        if request.correct_p_keep:
            correct = partial(shifted, labelled=found.labelled, share=found.estimated)
    elif isinstance(mix, str):
        provenance["mix"] = mix

    def finish(selection: Snapshot) -> None:
        duplicates = pa.Table.from_pandas(choice.duplicates, preserve_index=False)
        write_bytes(join(selection.url, DUPLICATES), parquet_bytes(duplicates))
        write_bytes(join(selection.url, CARD), data_card(selection, snapshot, request).encode())
        report = selection_report(selection, scores, snapshot, request)
        write_bytes(join(selection.url, REPORT), render_html(report).encode())

    write_snapshot(
        place,
        _documents(scores, snapshot, choice, correct),
        provenance=provenance,
        tokens=("tokens", scores.folder.plan.tokenizer),
        keep=True,
        finish=finish,
    )
    written = find_made(place, provenance)  # that of another process, if it was faster
    assert written is not None
    return written


def _documents(
    scores: Scores, snapshot: Snapshot, choice: Choice, correct: Callable[[pd.Series], pd.Series] | None
) -> Iterator[pa.RecordBatch]:
    with counter(total=len(choice.rows), unit=" documents", what="writing") as shown:
        for part, table in scores.rows(["score", "calibrated", "p_keep", "grade", "budget_tokens"]):
            low, high = np.searchsorted(choice.rows, [part.start, part.stop])
            rows = choice.rows[low:high]
            added = table.rename(columns={"budget_tokens": "tokens"}).iloc[rows - part.start].assign(corpus_row=rows)
            if correct is not None:
                added["p_keep"] = correct(added["p_keep"])
            for first, batch in batches_with(snapshot, rows):
                here = slice(*np.searchsorted(rows, [first, first + batch.num_rows]))
                chosen = batch.take(pa.array(rows[here] - first))
                names = free_names(chosen.schema.names, ADDED)
                fields = {kept: chosen[name] for name, kept in names.items()}
                fields |= {
                    name: pa.array(added[name].iloc[here], kind, from_pandas=True) for name, kind in ADDED.items()
                }
                yield pa.record_batch(list(fields.values()), names=list(fields))
                shown.update(len(rows[here]))
