"""Annotate: ask judges about the rows of a snapshot, dealt out to the tasks of a map, and write the labelled table.

The store of answers is the cache of these tasks: what is in it is not asked again.
"""

import itertools
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.annotation import REPORT, AnnotationRequest, Asked, Job, ask_rows, job_of, label_rows
from assay.errors import InputError
from assay.options import build
from assay.progress import say
from assay.report import fragment_of
from assay.sources import Columns, Period, corpus_revision
from assay.storage import Snapshot, join, parse_json, read_bytes
from tasks.support.requests import options_text, read_request
from tasks.support.resources import heavy, light
from tasks.support.settings import lasting, source_location
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, place_of, stored_file, stored_folder


@dataclass
class RowShare:
    """The rows about which one task of the map asks."""

    start: int
    stop: int


@dataclass
class AskedShare:
    """What one task of the map did, in a file: the questions without an answer may be many."""

    stage: Stage
    questions: int
    reused: int
    calls: int
    spent: float
    unsure: float
    failed: list[tuple[str, str, int, str]]


class ResolvedAnnotation(NamedTuple):
    """A resolved request. Each value that keys a cache is an output of its own, as in `ResolvedTraining`."""

    source: str
    revision: str
    columns: Columns
    period: Period | None
    request: str
    """The options of the request as JSON."""
    answers: str
    """Folder or URL of the store of answers."""
    started: float


class PlannedQuestions(NamedTuple):
    shares: list[FlyteFile]
    """A RowShare in each file."""
    there: Stage


class Labelled(NamedTuple):
    snapshot: SnapshotFolder
    stage: Stage


@task(**light())
def resolve_annotation(
    source: str,
    rubric: str,
    judges: list[str],
    text_column: str,
    budget: float | None,
    most_calls: int | None,
    options: str,
    answers: str,
) -> ResolvedAnnotation:
    """Resolve source, rubric and judges. Raise InputError for any option that cannot be used. Never cached."""
    started = time.time()
    with recorded("Resolve the documents"):
        request = read_request(
            AnnotationRequest,
            options,
            source=source,
            rubric=source_location(rubric),
            judge=judges or None,
            text_column=text_column,
            budget=budget,
            most_calls=most_calls,
        )
        request.prompt()
        place, kept = source_location(request.source), lasting(answers, "ASSAY_ANSWERS", "answers")
        revision = corpus_revision(place)
        say(f"{request.source}, revision {revision[:12]}; judges: {', '.join(judge.name for judge in request.judges)}")
    return ResolvedAnnotation(place, revision, request.columns, request.period, options_text(request), kept, started)


@task(**light())
def plan_questions(corpus: FlyteDirectory, request: str, answers: str, workers: int) -> PlannedQuestions:
    """Deal out the rows in runs. Never cached: the tasks of the map find what is missing by listing the store."""
    with recorded("Plan the questions") as stage:
        if workers < 1:
            raise InputError(f"{workers} workers", fix="Give 1 or more")
        job = _job(corpus, request, answers)
        rows = job.snapshot.manifest.rows if job.request.models else 0
        ends = [rows * number // workers for number in range(workers + 1)]
        shares = [RowShare(start, stop) for start, stop in itertools.pairwise(ends) if stop > start]
        stage.remark = f"{len(shares)} shares"
    return PlannedQuestions(store_shares(shares), stage)


@task(**heavy())
def ask_share(share: FlyteFile, corpus: FlyteDirectory, request: str, answers: str) -> FlyteFile:
    """Ask about a share of the rows. Each answer is stored at once, so that a retry pays nothing again."""
    with recorded("Ask the judges") as stage:
        given = read_share(RowShare, share)
        found = ask_rows(_job(corpus, request, answers), given.start, given.stop)
        stage.documents = given.stop - given.start
        stage.remark = f"{found.calls:,} calls, {found.reused:,} answers existed"
    failed = [(*question, reason) for question, reason in found.failed.items()]
    done = AskedShare(stage, found.questions, found.reused, found.calls, found.spent, found.unsure, failed)
    # All tasks of a local run have one working directory.
    path = Path(tempfile.mkdtemp(dir=current_context().working_directory)) / "asked.json"
    path.write_text(json.dumps(asdict(done), ensure_ascii=False), encoding="utf-8")
    return stored_file(path)


@task(enable_deck=True, **heavy())
def write_labelled(corpus: FlyteDirectory, request: str, answers: str, asked: list[FlyteFile]) -> Labelled:
    """Write the labelled snapshot from the store, and show its report."""
    with recorded("Write the labels") as stage:
        total = Asked()
        for done in read_asked(asked):
            failed = {(judge, span, repeat): reason for judge, span, repeat, reason in done.failed}
            total.add(Asked(done.questions, done.reused, done.calls, done.spent, done.unsure, failed))
        path = Path(tempfile.mkdtemp(dir=current_context().working_directory)) / "labels"
        labels = label_rows(_job(corpus, request, answers), total, str(path))
        stage.documents = labels.manifest.rows
        stage.remark = f"version {labels.manifest.version[:12]}"
        Deck("Labels", fragment_of(read_bytes(join(labels.url, REPORT)).decode()))
    return Labelled(stored_folder(path), stage)


def read_asked(files: list[FlyteFile]) -> list[AskedShare]:
    """Return what the tasks of the map did."""
    return [
        parse_json(AskedShare, Path(file.download()).read_bytes(), what="this share of the answers", where=str(file))
        for file in files
    ]


def _job(corpus: FlyteDirectory, request: str, answers: str) -> Job:
    return job_of(build(AnnotationRequest, json.loads(request)), Snapshot.open(place_of(corpus)), answers)
