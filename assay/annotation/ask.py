"""Ask the judges about documents: what the store has is not asked again, and the budget is kept."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import pandas as pd

from assay.annotation.budget import Budget, Limits, SpentError
from assay.annotation.client import Client, UnansweredError
from assay.annotation.request import AnnotationRequest
from assay.annotation.shown import Shown, show
from assay.annotation.store import AnswerStore, Key
from assay.annotation.survey import documents
from assay.inference import SpanReader
from assay.progress import counter, say
from assay.storage import Snapshot

BUDGET = "budget spent"
"""Reason of questions that were not asked, because the budget ended."""
Question = tuple[str, str, int]
"""Judge, digest of the span, number of the repeat."""


@dataclass
class Asked:
    """What became of the questions of a run."""

    questions: int = 0
    """Different questions; documents with the same text share them."""
    reused: int = 0
    """Questions whose answers were in the store."""
    calls: int = 0
    """Calls that this run made and that may have been charged."""
    spent: float = 0.0
    """Money of this run, at most: a lost answer counts as the most that it can have cost."""
    unsure: float = 0.0
    """Money of lost answers. It is part of `spent`."""
    failed: dict[Question, str] = field(default_factory=dict)
    """Questions without an answer in the store, and the reason."""

    def add(self, other: "Asked") -> None:
        """Add what became of the questions about other documents."""
        self.questions, self.reused = self.questions + other.questions, self.reused + other.reused
        self.calls, self.spent = self.calls + other.calls, self.spent + other.spent
        self.unsure += other.unsure
        self.failed |= other.failed


@dataclass(frozen=True)
class Job:
    """The documents of a request, and the place where answers are kept."""

    request: AnnotationRequest
    snapshot: Snapshot
    store: str
    """Path or fsspec URL of the store of answers."""

    def stores(self) -> dict[str, AnswerStore]:
        """Return the store of each judge that is a model, by its name."""
        prompt = self.request.prompt()
        return {judge.name: AnswerStore.open(self.store, prompt, judge) for judge in self.request.models}

    def wanted(self, table: pd.DataFrame) -> set[Key]:
        """Return the keys of all answers about the documents of a survey, for one judge."""
        spans = table.loc[table["unjudged"] == "", "span"].unique()
        return {(span, repeat) for span in spans for repeat in range(self.request.repeats)}


def spent_before(stores: Mapping[str, AnswerStore], existing: Mapping[str, set[Key]], limits: Limits) -> Budget:
    """Return the budget after the answers of earlier runs."""
    if limits.money is None:
        return Budget(limits, calls=sum(len(keys) for keys in existing.values()))
    found = [answer for name, keys in existing.items() for answer in stores[name].read(keys).values()]
    return Budget(limits, spent=sum(answer.cost for answer in found), calls=len(found))


def ask(job: Job, table: pd.DataFrame, reader: SpanReader, limits: Limits) -> Asked:
    """Ask every question about the documents of a survey that the store has no answer to.

    Raise InputError if a judge cannot answer at all; answers so far are kept, and so are those to open questions.
    """
    stores, wanted = job.stores(), job.wanted(table)
    existing = {name: wanted & store.keys() for name, store in stores.items()}
    missing = {name: wanted - existing[name] for name in stores}
    asked = Asked(len(wanted) * len(stores), sum(map(len, existing.values())))
    left = sum(map(len, missing.values()))
    if not left:
        return asked
    budget = spent_before(stores, existing, limits)
    before, calls = budget.spent, budget.calls
    prompt, stop = job.request.prompt(), threading.Event()
    clients = {
        judge.name: Client(judge, prompt, budget, job.request.pace, stop=stop)
        for judge in job.request.models
        if missing[judge.name]
    }
    say(f"{left:,} questions; {asked.reused:,} answers existed")
    pace, lock = job.request.pace, threading.Lock()

    def answer(judge: str, shown: Shown, repeat: int) -> None:
        question = (judge, shown.digest, repeat)
        try:
            stores[judge].write(clients[judge].ask(shown, repeat))
            return
        except SpentError:
            reason = BUDGET
        except UnansweredError as error:
            reason = str(error)
        with lock:
            asked.failed[question] = reason

    with counter(total=left, unit=" answers", what="judges") as bar:
        pools = {name: ThreadPoolExecutor(pace.concurrency, thread_name_prefix=name) for name in clients}
        open_: set[Future[None]] = set()
        try:
            for shown in texts_of(job, table, reader, missing):
                for name in clients:
                    for repeat in range(job.request.repeats):
                        if (shown.digest, repeat) in missing[name]:
                            open_.add(pools[name].submit(answer, name, shown, repeat))
                while len(open_) > 4 * pace.concurrency * len(clients):
                    open_ = _finished(open_, bar, budget)
            while open_:
                open_ = _finished(open_, bar, budget)
        finally:
            # Questions that are open are paid already: their answers are waited for, and stored.
            stop.set()
            for pool in pools.values():
                pool.shutdown(wait=True, cancel_futures=True)
    asked.calls, asked.spent, asked.unsure = budget.calls - calls, budget.spent - before, budget.unsure
    say(f"{asked.calls:,} calls" + (f", {asked.spent:.4f} spent" if asked.spent else ""))
    return asked


def texts_of(job: Job, table: pd.DataFrame, reader: SpanReader, missing: Mapping[str, set[Key]]) -> Iterator[Shown]:
    """Yield what is shown of each document with a missing answer, each text once, in the order of the rows."""
    left = {span for keys in missing.values() for span, _ in keys}
    spans = dict(zip(table["row"], table["span"], strict=True))
    for row, _, text in documents(job.snapshot, int(table["row"].min()), int(table["row"].max()) + 1):
        if spans[row] in left:
            left.discard(spans[row])
            yield show(reader, text)


def _finished(open_: set[Future[None]], bar: object, budget: Budget) -> set[Future[None]]:
    """Wait for one question at least, and return those that are open. Raise the error of a finished one."""
    done, left = wait(open_, return_when=FIRST_COMPLETED)
    bar.update(len(done))  # type: ignore[attr-defined]
    if budget.spent:
        bar.set_postfix_str(f"{budget.spent:.4f} spent")  # type: ignore[attr-defined]
    for future in done:
        future.result()
    return left
