"""Label in rounds: ask the judge, fit a model, choose the next documents. Never cached: answers are paid once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from flytekit import Deck, current_context, task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.annotation import (
    LoopState,
    RoundsRequest,
    ask_judges,
    begin,
    fit_words,
    measure_and_choose,
    read_documents,
    rounds_report,
    take_answers,
    to_ask,
    write_labels,
)
from assay.errors import InputError
from assay.options import build
from assay.progress import say, stage
from assay.report import render_fragment
from assay.rubric import load_rubric
from assay.sources import acquire, open_source
from assay.storage import read_parquet, write_parquet
from tasks.support.requests import options_text, read_request
from tasks.support.resources import heavy, light
from tasks.support.settings import lasting
from tasks.support.types import stored_file, stored_folder

MOST_ROUNDS = 6
"""Rounds of the workflow: a workflow of Flyte has a fixed number of nodes. A labelling that ended passes through."""


class Begun(NamedTuple):
    """The documents, the request, what was chosen of them, and where answers are kept."""

    documents: FlyteFile
    request: str
    state: FlyteDirectory
    answers: str


@dataclass
class Labelled:
    """The result of a labelling."""

    labels: int
    rounds: int
    calls: int
    stopped: str
    """Why it ended."""


class Finished(NamedTuple):
    """The labelled tables and their page, and the result."""

    folder: FlyteDirectory
    labelled: Labelled


@task(**heavy())
def begin_rounds(source: str, text_column: str, judges: list[str], rubric: str, calls: int, options: str) -> Begun:
    """Read the documents, and draw the sample that measures and the first ones to train on."""
    given = read_request(
        RoundsRequest,
        options,
        source=source,
        text_column=text_column,
        judge=judges or None,
        rubric=rubric,
        calls=calls,
    )
    if given.loop.rounds > MOST_ROUNDS:
        raise InputError(
            f"{given.loop.rounds} rounds", where="options", fix=f"Give {MOST_ROUNDS} or fewer in this workflow"
        )
    load_rubric(given.rubric)
    answers = lasting("", "ASSAY_ANSWERS", "answers")
    place = Path(current_context().working_directory)
    with stage("Begin"):
        snapshot = acquire(open_source(given.source), given.columns, place / "snapshot", replace=True)
        documents = read_documents(snapshot, given)
        write_parquet(pa.Table.from_pandas(documents, preserve_index=False), place / "documents.parquet")
        begin(documents, given.config).write(place / "state")
        say(f"{len(documents):,} documents take part")
    return Begun(stored_file(place / "documents.parquet"), options_text(given), stored_folder(place / "state"), answers)


@task(**light())
def ask_judge(documents: FlyteFile, request: str, state: FlyteDirectory, answers: str) -> FlyteDirectory:
    """Ask about the documents of the round. A labelling that ended is passed on as it is."""
    known, table, given = _open(documents, request, state)
    if known.stopped:
        return stored_folder(Path(state.download()))
    with stage("Judge"):
        asked = to_ask(known, table)
        answered = take_answers(known, asked, ask_judges(table, given, asked, answers))
        say(f"{len(asked):,} documents, {len(answered.answers):,} answers so far")
    return _keep(answered)


@task(**heavy())
def train_and_choose(documents: FlyteFile, request: str, state: FlyteDirectory) -> FlyteDirectory:
    """Fit a model of words, measure it, and draw the next documents or end the labelling."""
    known, table, given = _open(documents, request, state)
    if known.stopped:
        return stored_folder(Path(state.download()))
    rubric = load_rubric(given.rubric)
    with stage(f"Round {len(known.points) + 1}"):
        fit = fit_words(rubric, given.draw.seed)
        return _keep(measure_and_choose(known, table, fit, rubric.low, rubric.high, given.config))


@task(enable_deck=True, **light())
def finish_rounds(documents: FlyteFile, request: str, state: FlyteDirectory) -> Finished:
    """Write the labelled tables, and draw the page."""
    known, table, given = _open(documents, request, state)
    rubric = load_rubric(given.rubric)
    output = Path(current_context().working_directory) / "labels"
    labels = write_labels(known, table, rubric, output)
    Deck("labelling", render_fragment(rounds_report(known, rubric)))
    say(known.stopped)
    labelled = Labelled(labels, len(known.points), len(known.answers), known.stopped)
    return Finished(stored_folder(output), labelled)


def _open(documents: FlyteFile, request: str, state: FlyteDirectory) -> tuple[LoopState, pd.DataFrame, RoundsRequest]:
    table = read_parquet(str(documents.download())).to_pandas()
    return LoopState.read(Path(state.download())), table, build(RoundsRequest, json.loads(request))


def _keep(state: LoopState) -> FlyteDirectory:
    folder = Path(current_context().working_directory) / "next"
    state.write(folder)
    return stored_folder(folder)
