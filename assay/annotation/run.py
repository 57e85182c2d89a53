"""Annotate without Flyte: open the documents, ask the judges, write the labelled table."""

from collections.abc import Mapping

from assay.annotation.ask import Asked, Job, ask
from assay.annotation.collect import collect
from assay.annotation.request import AnnotationRequest
from assay.annotation.survey import survey
from assay.annotation.table import write_labels
from assay.errors import InputError
from assay.progress import stage
from assay.sources import open_corpus
from assay.storage import MANIFEST, Snapshot, exists, join


def open_job(request: AnnotationRequest, store: str, keys: Mapping[str, str] | None = None) -> Job:
    """Return the documents of a request. Raise InputError if source, rubric or a column of answers is missing."""
    request.prompt()
    snapshot = open_corpus(request.source, request.columns, store, request.period)
    lacking = [
        judge.column for judge in request.judges if judge.column and judge.column not in snapshot.manifest.schema
    ]
    if lacking:
        raise InputError(
            f"no column {lacking[0]!r} with answers",
            where=snapshot.sources,
            fix="The judge shipped answers for data/sample alone; column:NAME names a column of the source",
        )
    return Job(request, snapshot, store, keys or {})


def annotate(
    request: AnnotationRequest, output: str, store: str, keys: Mapping[str, str] | None = None
) -> tuple[Snapshot, Asked]:
    """Label the documents of a request, and return the new snapshot and what became of the questions.

    `store`: path or URL of the store of answers, where a stopped run resumes. `keys`: keys of servers by the name of
    their variable, in place of the environment. Raise InputError if `output` exists, if a judge cannot answer at all,
    or if no document gets a label; answers so far are kept.
    """
    if exists(join(output, MANIFEST)):
        raise InputError("the output exists already", where=output, fix="Remove it, or name another")
    job = open_job(request, store, keys)
    reader = request.reader()
    with stage("What is shown"):
        table = survey(job.snapshot, reader)
    with stage("Ask the judges"):
        asked = ask(job, table, reader, request.limits)
    with stage("Write the labels"):
        answers = collect(job, table, asked.failed)
        return write_labels(job, table, answers, asked, output), asked
