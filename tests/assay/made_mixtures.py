"""Corpora with scores that were not computed, and all passes over them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.mixture.begin import begin
from assay.mixture.passes import advance, scan
from assay.mixture.reading import Reader
from assay.mixture.references import read_references
from assay.mixture.request import MixtureRequest
from assay.mixture.state import MixtureJob, MixtureState, ScorePlace
from assay.scoring import Bins, Part, PartFolder, Scores, ScoringConfig
from assay.scoring.plan import Plan
from assay.scoring.sidecar import PartFile, Sidecar
from assay.storage import Snapshot, write_snapshot


def corpus_of(folder: Path, rows: list[dict], **columns: list) -> Snapshot:
    """Write a snapshot of rows with `id`; `columns` are further ones."""
    table = pa.table(
        {
            "id": [row["id"] for row in rows],
            "text": pa.array([f"Text of {row['id']}." for row in rows], pa.large_string()),
            **columns,
        }
    )
    return write_snapshot(folder, table.to_batches(), provenance={"sources": [{"uri": "here"}]}, replace=True)


def scored(
    root: Path,
    corpus: Snapshot,
    rows: list[dict],
    *,
    model: str = "m",
    rows_per_part: int = 7,
    bins: Bins | None = None,
    further: dict[str, list] | None = None,
) -> Scores:
    """Write scores of rows with `id`, `score`, `tokens`, and if it applies `reason`, `in_scope` and `p_keep`."""
    config = ScoringConfig(rows_per_part=rows_per_part)
    plan = Plan(corpus.manifest.version, len(rows), model * 64, "a count", bins or Bins(-5, 10), config)
    parts = PartFolder.create(str(root), plan)
    sidecar = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "score": [row.get("score", np.nan) for row in rows],
            "calibrated": [row.get("score", np.nan) for row in rows],
            "p_keep": [row.get("p_keep", 0.5) for row in rows],
            "grade": pd.array([3] * len(rows), dtype="Int64"),
            "keep": pd.array([True] * len(rows), dtype="boolean"),
            "tokens": [row["tokens"] for row in rows],
            "read": 1.0,
            "language": "en",
            "in_scope": [row.get("in_scope", True) for row in rows],
            "reason": [row.get("reason") for row in rows],
            "budget_tokens": [row["tokens"] for row in rows],
            "slice": "",
        }
    )
    for part in plan.parts():
        some = Sidecar.validate(sidecar.iloc[part.start : part.stop].reset_index(drop=True))
        some = some[list(Sidecar.to_schema().columns)]
        for name, values in (further or {}).items():
            some[name] = values[part.start : part.stop]
        PartFile(parts, part).write(some)
    return Scores.complete(parts)


def job_of(output: Path, corpus: Snapshot, scores: list[Scores], request: MixtureRequest, **more: Any) -> MixtureJob:
    places = tuple(ScorePlace(f"score {n}", each.folder.url) for n, each in enumerate(scores))
    return replace(MixtureJob(corpus.url, corpus.manifest.version, places, (), request, str(output)), **more)


def all_passes(job: MixtureJob, shares: int = 1, random: np.random.Generator | None = None) -> MixtureState:
    """Do all passes, the parts dealt out to some processes, whose results arrive in any order."""
    state = begin(job)
    while True:
        parts = Reader(job, state).parts()
        dealt: list[list[Part]] = [parts[n::shares] for n in range(shares)]
        if random is not None:
            random.shuffle(dealt)
        found = [scan(job, MixtureState.read(state.to_json()), some) for some in dealt]
        if state.next == "write":
            return state
        state = advance(job, MixtureState.read(state.to_json()), found)


def references(job: MixtureJob, state: MixtureState) -> pd.DataFrame:
    return pd.concat(read_references(job.output, Reader(job, state).parts()), ignore_index=True)


def mixed(
    folder: Path, rows: list[dict], request: MixtureRequest, **more: Any
) -> tuple[pd.DataFrame, MixtureState, MixtureJob]:
    """Return the references of a mixture of rows, by one score, and `topic` if the request has one."""
    columns = {"topic": [row.get("topic", "") for row in rows]} if request.topic == "topic" else {}
    corpus = corpus_of(folder / "corpus", rows, **columns)
    scores = scored(folder / "scores", corpus, rows, rows_per_part=more.pop("rows_per_part", 7))
    job = job_of(folder / "mixture", corpus, [scores], request)
    state = all_passes(job, **more)
    return references(job, state), state, job
