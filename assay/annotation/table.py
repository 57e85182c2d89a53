"""The labelled table: a snapshot with the documents, their labels and what is known of each label."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa

from assay.annotation.ask import Asked, Job
from assay.annotation.judge import grade_column
from assay.annotation.present import annotation_report
from assay.annotation.raters import combine
from assay.errors import InputError
from assay.options import plain_options
from assay.report import render_html
from assay.sources import free_names
from assay.storage import Snapshot, join, parquet_bytes, write_bytes, write_snapshot

# Hidden names: `assay train` reads all other files of the folder.
ANSWERS, UNANSWERED, SUMMARY, REPORT = "_answers.parquet", "_unanswered.parquet", "_annotation.json", "_report.html"


@dataclass(frozen=True)
class Counts:
    """Sizes and costs of a labelled table."""

    documents: int
    labelled: int
    unanswered: dict[str, int]
    """Documents without a label by reason."""
    answers: int
    """Valid answers."""
    invalid: dict[str, int]
    """Answers without a valid score by reason, over all judges."""
    cost: float
    """Price of all answers, also of earlier runs."""
    spent: float
    """Money of this run, at most."""


def write_labels(job: Job, table: pd.DataFrame, answers: pd.DataFrame, asked: Asked, place: str) -> Snapshot:
    """Write the labelled documents as a new snapshot at a path or URL.

    It has the columns of the source, `label`, `weight`, `uncertainty`, a column `grade_JUDGE` for each judge, `rubric`
    (digest of the prompt), and `span` (characters that were shown) with `span_sha256`. Beside it are all answers with
    their reasons, the documents without a label, and the report. Raise InputError if no document has a label.
    """
    prompt = job.request.prompt()
    labels = _labels(answers, prompt.rubric.low, prompt.rubric.high)
    judged = table[(table["unjudged"] == "") & table["id"].isin(set(labels["id"]))]
    grades = answers.pivot_table(index="id", columns="judge", values="grade", aggfunc="mean")
    added = judged[["row", "id", "places", "span"]].merge(labels, on="id", how="left")
    for judge in job.request.judges:
        given = grades[judge.name] if judge.name in grades else pd.Series(dtype=float)
        added[grade_column(judge.name)] = added["id"].map(given)
    unanswered = unanswered_of(table, answers, set(labels["id"]))
    counts = counts_of(table, answers, unanswered, asked)
    if labels.empty:
        reasons = ", ".join(f"{count:,} × {reason}" for reason, count in counts.unanswered.items())
        fix = "Check the judges; answers so far are kept"
        raise InputError(f"no document has a label: {reasons}", where=job.snapshot.sources, fix=fix)
    manifest = job.snapshot.manifest
    provenance = {
        "sources": [{"uri": job.snapshot.sources, "revision": manifest.version}],
        "annotation": {
            "rubric": prompt.rubric.name,
            "prompt": prompt.digest,
            "request": {**plain_options(job.request), "source": job.snapshot.sources},
            "counts": asdict(counts),
        },
    }

    def finish(snapshot: Snapshot) -> None:
        for name, frame in ((ANSWERS, answers), (UNANSWERED, unanswered)):
            write_bytes(join(snapshot.url, name), parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False)))
        write_bytes(join(snapshot.url, SUMMARY), json.dumps(provenance["annotation"], indent=2).encode())
        report = annotation_report(job, counts, answers, labels, unanswered)
        write_bytes(join(snapshot.url, REPORT), render_html(report).encode())

    return write_snapshot(place, _documents(job.snapshot, added, prompt.digest), provenance=provenance, finish=finish)


def _labels(answers: pd.DataFrame, low: int, high: int) -> pd.DataFrame:
    """Return the labels; none if no answer is valid, which is reported with the reasons."""
    if answers["grade"].notna().any():
        return combine(answers, low, high)
    return pd.DataFrame({"id": [], "label": [], "uncertainty": [], "weight": []}).astype({"id": str})


def unanswered_of(table: pd.DataFrame, answers: pd.DataFrame, labelled: set[str]) -> pd.DataFrame:
    """Return `row`, `id` and `reason` of each document without a label. Several reasons are joined by `; `."""
    reasons = answers[answers["error"] != ""].groupby("id")["error"].agg(lambda found: "; ".join(sorted(set(found))))
    left = table[(table["unjudged"] != "") | ~table["id"].isin(labelled)]
    reason = left["unjudged"].where(left["unjudged"] != "", left["id"].map(reasons))
    return pd.DataFrame({"row": left["row"], "id": left["id"], "reason": reason.astype("str")}).reset_index(drop=True)


def counts_of(table: pd.DataFrame, answers: pd.DataFrame, unanswered: pd.DataFrame, asked: Asked) -> Counts:
    """Return the sizes and costs. An answer that several documents share is counted once in the costs."""
    paid = answers.drop_duplicates(["judge", "span", "repeat"])
    return Counts(
        documents=len(table),
        labelled=len(table) - len(unanswered),
        unanswered={str(name): int(count) for name, count in unanswered["reason"].value_counts().items()},
        answers=int(answers["grade"].notna().sum()),
        invalid={str(name): int(n) for name, n in answers.loc[answers["error"] != "", "error"].value_counts().items()},
        cost=float(paid["cost"].sum()),
        spent=asked.spent,
    )


def _documents(snapshot: Snapshot, added: pd.DataFrame, prompt: str) -> Iterator[pa.RecordBatch]:
    """Yield the labelled documents with all columns of the source; those with a name of ours get another one."""
    floats = ["label", "weight", "uncertainty", *(name for name in added if str(name).startswith("grade_"))]
    new = {"rubric": pa.string(), "span": pa.string(), "span_sha256": pa.string()}
    kept = free_names(list(snapshot.manifest.schema), {*floats, *new})
    by_row = added.set_index("row")
    for first, batch in snapshot.rows():
        rows = [row for row in range(first, first + batch.num_rows) if row in by_row.index]
        if not rows:
            continue
        part, found = batch.take(pa.array([row - first for row in rows])), by_row.loc[rows]
        columns = [
            *part.columns,
            *(pa.array(found[name].to_numpy(float), pa.float64(), from_pandas=True) for name in floats),
            pa.array([prompt] * len(rows), pa.string()),
            pa.array(found["places"].tolist(), pa.string()),
            pa.array(found["span"].tolist(), pa.string()),
        ]
        yield pa.record_batch(columns, names=[*(kept[name] for name in part.schema.names), *floats, *new])
