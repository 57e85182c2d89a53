"""The report of an annotation."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from assay.annotation.agreed import trust_sections
from assay.annotation.ask import BUDGET, Job
from assay.annotation.people import compare_with_people, people_blocks
from assay.errors import InputError
from assay.metrics import read_ratings
from assay.report import (
    Block,
    Callout,
    Facts,
    Figure,
    Prose,
    Report,
    Section,
    Table,
    TextItem,
    Texts,
    chart_distribution,
)

if TYPE_CHECKING:
    from assay.annotation.table import Counts

DISPUTED = 10
"""Documents with the most different answers that the report shows."""
MOST_UNANSWERED = 0.05
"""Share of documents without a label above which the report warns."""


def annotation_report(
    job: Job, counts: "Counts", answers: pd.DataFrame, labels: pd.DataFrame, unanswered: pd.DataFrame
) -> Report:
    """Return the page: counts, cost, answers by grade, failures by reason, agreement, disputed documents."""
    rubric = job.request.prompt().rubric
    return Report(
        "Labels from judges",
        f"{counts.labelled:,} of {counts.documents:,} documents labelled by the rubric {rubric.name}",
        [
            Section("Labels", [*_warnings(counts), _facts(job, counts), *_chart(labels, rubric.low, rubric.high)]),
            Section("Answers by judge", _by_judge(answers, list(rubric.grades))),
            Section("Answers without a score, by reason", _failures(answers, unanswered)),
            *trust_sections(answers, rubric.low, rubric.high),
            *_beside_people(job, labels),
            Section("Most disputed documents", _disputed(job, answers)),
            Section("Lineage", [_lineage(job)]),
        ],
    )


def _warnings(counts: "Counts") -> list[Block]:
    found: list[Block] = []
    if any(BUDGET in reason for reason in counts.unanswered):
        found.append(
            Callout(
                "The budget ended before all documents were judged. The same command with a larger one resumes.", "warn"
            )
        )
    missing = counts.documents - counts.labelled
    if missing > MOST_UNANSWERED * counts.documents:
        found.append(
            Callout(
                f"{missing / counts.documents:.0%} of the documents have no label. Which ones is hardly by chance: "
                "what a judge cannot read is seldom like the rest.",
                "warn",
            )
        )
    return found


def _facts(job: Job, counts: "Counts") -> Facts:
    priced = any(judge.price is not None for judge in job.request.models)
    return Facts(
        {
            "documents": f"{counts.documents:,}",
            "labelled": f"{counts.labelled:,}",
            "without a label": f"{counts.documents - counts.labelled:,}",
            "valid answers": f"{counts.answers:,}",
            "cost of all answers": f"{counts.cost:,.4f}"
            if priced
            else "no prices given"
            if job.request.models
            else "none",
            **({"spent by this run, at most": f"{counts.spent:,.4f}"} if priced else {}),
        }
    )


def _chart(labels: pd.DataFrame, low: int, high: int) -> list[Block]:
    edges = np.arange(low, high + 2) - 0.5
    amounts = {"documents": np.histogram(labels["label"], edges)[0].astype(float)}
    svg = chart_distribution(edges, amounts, cut=None, x="label", y="documents", name="documents by label")
    return [Figure(svg, "Documents by label. A label between two grades counts for the nearer one.")]


def _by_judge(answers: pd.DataFrame, grades: list[int]) -> list[Block]:
    rows = []
    for name, found in answers.groupby("judge", sort=False):
        valid = found["grade"].dropna()
        paid = found.drop_duplicates(["span", "repeat"])
        row: dict[str, object] = {"judge": name, "valid": len(valid), "without a score": len(found) - len(valid)}
        row |= {f"{grade}": int((np.floor(valid + 0.5) == grade).sum()) for grade in grades} if len(grades) < 12 else {}
        row |= {"mean": float(valid.mean()) if len(valid) else None, "cost": float(paid["cost"].sum())}
        row |= {"tokens in": int(paid["tokens_in"].sum()), "tokens out": int(paid["tokens_out"].sum())}
        row["served as"] = ", ".join(sorted({str(name) for name in found["served"] if name}))
        rows.append(row)
    return [Table(pd.DataFrame(rows), "Number of answers with each grade.")]


def _beside_people(job: Job, labels: pd.DataFrame) -> list[Section]:
    """Return the section on people's labels, if columns of the source hold some."""
    if not job.request.people:
        return []
    rows = dict(_rows_of(job, set(labels["id"])))
    people = read_ratings(job.snapshot, list(rows), list(job.request.people), job.request.prompt().rubric)
    label = labels.set_index("id")["label"].loc[list(rows.values())].to_numpy(float)
    try:
        found = compare_with_people(job.snapshot.take(rows), label, people, judge="the judges' label")
    except InputError as error:
        return [Section("Beside people", [Callout(f"It is not measured: {error}", "note")])]
    return [Section("Beside people", people_blocks(found))]


def _failures(answers: pd.DataFrame, unanswered: pd.DataFrame) -> list[Block]:
    failed = answers[answers["error"] != ""]
    if failed.empty and unanswered.empty:
        return [Prose("All questions have a valid answer.")]
    table = failed.groupby(["judge", "error"], sort=False).size().rename("answers").reset_index()
    documents = unanswered["reason"].value_counts().rename_axis("reason").rename("documents").reset_index()
    found: list[Block] = [Table(table.rename(columns={"error": "reason"}))] if len(table) else []
    return [*found, *([Table(documents, "Documents without a label.")] if len(documents) else [])]


def _disputed(job: Job, answers: pd.DataFrame) -> list[Block]:
    spread = answers.groupby("id", sort=False)["grade"].agg(lambda found: found.max() - found.min())
    most = spread[spread > 0].sort_values(ascending=False, kind="stable").head(DISPUTED)
    if most.empty:
        return [Prose("No document has two different answers.")]
    rows = {str(name): row for row, name in _rows_of(job, set(most.index))}
    texts = dict(zip(rows, job.snapshot.take(rows.values()), strict=True))
    items = []
    for name in most.index:
        found = answers[(answers["id"] == name) & answers["grade"].notna()]
        given = "; ".join(
            f"{a.judge}: {a.grade:g}" + (f" ({a.reason})" if a.reason else "") for a in found.itertuples()
        )
        items.append(TextItem(str(name), str(texts[name]), given))
    return [Texts(items)]


def _rows_of(job: Job, ids: set[str]) -> list[tuple[int, str]]:
    found, seen = [], set[str]()
    for first, batch in job.snapshot.rows(columns=["id"]):
        for place, name in enumerate(batch.column(0).to_pylist(), start=first):
            if name in ids and name not in seen:
                seen.add(name)
                found.append((place, name))
    return found


def _lineage(job: Job) -> Table:
    windows = job.request.windows
    rows = {
        "source": job.snapshot.sources,
        "version": job.snapshot.manifest.version,
        "rubric": job.request.rubric,
        "prompt": job.request.prompt().digest,
        "shown": f"windows of {job.request.encoder}: {windows.count} of {windows.tokens}",
        **{f"judge {judge.name}": str(judge) for judge in job.request.judges},
    }
    return Table(pd.DataFrame([{"": name, " ": value} for name, value in rows.items()]))
