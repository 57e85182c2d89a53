"""Annotate without Flyte: open the documents, ask the judges, write the labelled table."""

from pathlib import Path

from assay.annotation.ask import Asked, Job, ask
from assay.annotation.batch import BatchRead, read_batch, write_batch
from assay.annotation.collect import collect
from assay.annotation.request import AnnotationRequest
from assay.annotation.survey import survey
from assay.annotation.table import write_labels
from assay.errors import InputError
from assay.progress import stage
from assay.sources import open_corpus
from assay.storage import MANIFEST, Snapshot, exists, join


def open_job(request: AnnotationRequest, store: str) -> Job:
    """Return the documents of a request. Raise InputError if source, rubric or a column of answers is missing."""
    request.prompt()
    return job_of(request, open_corpus(request.source, request.columns, store, request.period), store)


def job_of(request: AnnotationRequest, snapshot: Snapshot, store: str) -> Job:
    """Return the job of a request over the snapshot of its documents. Raise InputError if a column is missing."""
    unknown = [name for name in request.people if name not in snapshot.manifest.schema]
    if unknown:
        raise InputError(
            f"no column {unknown[0]!r} with the labels of people",
            where=snapshot.sources,
            fix=f"Name one of: {', '.join(sorted(snapshot.manifest.schema))}",
        )
    lacking = [
        judge.column for judge in request.judges if judge.column and judge.column not in snapshot.manifest.schema
    ]
    if lacking:
        raise InputError(
            f"no column {lacking[0]!r} with answers",
            where=snapshot.sources,
            fix="The judge shipped answers for data/sample alone; column:NAME names a column of the source",
        )
    return Job(request, snapshot, store)


def annotate(
    request: AnnotationRequest,
    output: str,
    store: str,
    *,
    ask_judges: bool = True,
) -> tuple[Snapshot, Asked]:
    """Label the documents of a request, and return the new snapshot and what became of the questions.

    `store`: path or URL of the store of answers, where a stopped run resumes. Without `ask_judges`, the store alone
    answers. Raise InputError if `output` exists, if a judge cannot answer at all, or if no document gets a label;
    answers so far are kept.
    """
    if exists(join(output, MANIFEST)):
        raise InputError("the output exists already", where=output, fix="Remove it, or name another")
    job = open_job(request, store)
    reader = request.reader()
    with stage("What is shown"):
        table = survey(job.snapshot, reader)
    asked = Asked()
    if ask_judges:
        with stage("Ask the judges"):
            asked = ask(job, table, reader, request.limits)
    with stage("Write the labels"):
        answers = collect(job, table, asked.failed)
        return write_labels(job, table, answers, asked, output), asked


def ask_by_batch(request: AnnotationRequest, folder: Path, store: str) -> int:
    """Write the questions without an answer into the new folder, as batch files, and return their number.

    Nothing is sent. Raise InputError as `write_batch`.
    """
    job, reader = open_job(request, store), request.reader()
    with stage("What is shown"):
        table = survey(job.snapshot, reader)
    with stage("Write the questions"):
        return write_batch(job, table, reader, request.limits, folder)


def take_batch(request: AnnotationRequest, answers: Path, store: str) -> BatchRead:
    """Read the answers of batch files into the store. Raise InputError as `read_batch`."""
    job, reader = open_job(request, store), request.reader()
    with stage("What was shown"):
        table = survey(job.snapshot, reader)
    with stage("Read the answers"):
        return read_batch(job, table, answers)


def ask_rows(job: Job, start: int, stop: int) -> Asked:
    """Ask about the rows from `start` to before `stop`, within their share of the budget.

    Budgets of shares are fixed: what one leaves over, no other spends. Raise InputError as `annotate`.
    """
    reader = job.request.reader()
    table = survey(job.snapshot, reader, start, stop)
    return ask(job, table, reader, job.request.limits.share(stop - start, job.snapshot.manifest.rows))


def label_rows(job: Job, asked: Asked, place: str) -> Snapshot:
    """Write the labels of all rows from the store. Raise InputError if no document has one."""
    table = survey(job.snapshot, job.request.reader())
    return write_labels(job, table, collect(job, table, asked.failed), asked, place)
