"""Score the parts of a corpus that do not exist yet, in this process or in several."""

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from assay.inference import Scorer, TokenCounter, assess, token_counter
from assay.model import Kind, ModelInfo
from assay.parallel import Update, in_processes, require_processes, usable_cores
from assay.progress import counter, say, stage
from assay.scoring.costs import Tally, metered
from assay.scoring.decided import Decided
from assay.scoring.networks import open_network
from assay.scoring.plan import Part, PartFolder
from assay.scoring.scores import Scores
from assay.scoring.sidecar import PartFile, Sidecar
from assay.scoring.vectors import VectorFile, read_space, rescored
from assay.storage import Snapshot, exists

DOCUMENTS_A_PROCESS = {"encoder": 1_000, "hybrid": 1_000, "lexical": 20_000}
"""Documents from which another process pays for its start, by kind of model: it imports all libraries anew."""
IN_FLIGHT = 2
"""Parts that one process works on at a time, if it has a device or cores to share out: while the network computes one,
the other is read and tokenized, its languages are identified, or it is written. More would only hold more texts."""


@dataclass(frozen=True)
class ScoringJob:
    """Places of what a process needs to score parts. Each process opens them itself."""

    folder: str
    """Folder or URL of the parts."""
    snapshot: str
    """Folder or URL of the corpus."""
    model: Path
    """The model folder."""

    def open(self) -> "PartScorer":
        """Return the scorer of parts. Raise InputError if something is missing or is not what was planned."""
        folder = PartFolder.open(self.folder)
        tokens = token_counter(folder.plan.config.tokenizer)
        scorer = open_network(Scorer.load(self.model), folder)
        return PartScorer(folder, Snapshot.open(self.snapshot), scorer, tokens)


@dataclass(frozen=True)
class PartScorer:
    """A model, a corpus, and the folder of its parts."""

    folder: PartFolder
    snapshot: Snapshot
    scorer: Scorer
    tokens: TokenCounter

    def __post_init__(self) -> None:
        self.folder.plan.require(self.snapshot)

    def score(self, part: Part, update: Update) -> int:
        """Write the scores of a part, and return 1; or return 0 if another process has written it."""
        file = PartFile(self.folder, part)
        if exists(file.url):
            update(part.stop - part.start, 0)
            return 0
        if self.folder.plan.vectors:
            table = rescored(self.folder, part, self.scorer)
            able = table["reason"].isna()
            update(len(table), 0, int(able.sum()), int(table.loc[able, "budget_tokens"].sum()))
        else:
            table = score_part(self.folder, part, self.snapshot, self.scorer, self.tokens, shown=update)
        times = self.scorer.times
        with times.of("writing"):
            file.write(table)
        update(0, 0, 0, 0, times.take())
        return 1


def worthwhile_processes(documents: int, kind: Kind) -> int:
    """Return how many processes score so many documents soonest: at most one a core, or one a GPU."""
    if kind != "lexical" and (devices := _gpus()):
        return min(devices, max(1, documents // DOCUMENTS_A_PROCESS[kind]))
    return max(1, min(usable_cores(), documents // DOCUMENTS_A_PROCESS[kind]))


def score_parts(
    job: ScoringJob, parts: Sequence[Part], *, processes: int | None = None, scorer: PartScorer | None = None
) -> int:
    """Score the parts that no process has written yet, and return how many were scored here.

    `processes`: by default as many as `worthwhile_processes` says.

    A part appears when it is complete: a killed run loses only the parts it works on. Processes that run at the same
    time share the work. `scorer`: that of `job`, if it is open already. Raise InputError if the input is gone or is
    not what was planned, if the disk is full, or if a process dies; the existing parts stay.
    """
    if processes is not None:
        require_processes(processes, "scoring")
    order = list(parts)
    # Each process has its own order, so that two that run at once rarely work on the same part. If they do, they write
    # the same bytes.
    random.Random(os.getpid()).shuffle(order)
    plan = scorer.folder.plan if scorer else PartFolder.open(job.folder).plan
    root = job.folder.rstrip("/").rpartition("/")[0]
    documents = sum(part.stop - part.start for part in order)
    if processes is None:
        kind = (scorer.scorer.model.info if scorer else ModelInfo.read(job.model)).kind
        processes = worthwhile_processes(documents, kind)
    processes = min(processes, max(1, len(order)))
    with metered(root, plan.key, plan.model, processes) as tally, _progress(documents, tally) as shown:
        if processes > 1:
            return in_processes(
                partial(_score_one, job),
                order,
                shown,
                processes=processes,
                doing="scored parts",
                where=job.folder,
                devices=_gpus(),
            )
        return _in_flight(scorer or job.open(), order, shown)


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


class _Stopped(BaseException):
    """Ends the work on a part. No Exception: those of a document alone are caught, and the others go on."""


def _in_flight(scorer: PartScorer, parts: Sequence[Part], shown: Update) -> int:
    """Score parts in this process, a few at a time, and return how many were scored here."""
    scorer.scorer.times.take()  # what was read before, such as for a measurement, is no part of this run
    if scorer.scorer.model.info.kind == "lexical" or (usable_cores() == 1 and not _gpus()):
        return sum(scorer.score(part, shown) for part in parts)
    stop, one = threading.Event(), threading.Lock()

    def update(*arguments: Any) -> None:
        if stop.is_set():
            raise _Stopped
        with one:
            shown(*arguments)

    with futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        left = [pool.submit(scorer.score, part, update) for part in parts]
        try:
            return sum(future.result() for future in futures.as_completed(left))
        finally:
            stop.set()  # after an error, or Ctrl-C, no part is worked on any longer
            for future in left:
                future.cancel()


def _score_one(job: ScoringJob, part: Part, update: Update) -> int:
    """Score one part in a process of a pool, which keeps the model for its next parts."""
    return _opened(job).score(part, update)


@lru_cache(maxsize=1)
def _opened(job: ScoringJob) -> PartScorer:
    return job.open()


def score_part(
    folder: PartFolder, part: Part, snapshot: Snapshot, scorer: Scorer, tokens: TokenCounter, *, shown: Any = None
) -> pd.DataFrame:
    """Return the Sidecar of one part, and write its vectors if they are kept. Memory holds the texts of the part."""
    config = folder.plan.config
    columns = list(dict.fromkeys(["id", "text", *([config.slice_by] if config.slice_by else [])]))
    ids: list[str] = []
    texts: list[str | None] = []
    slices: list[str] = []
    with scorer.times.of("reading"):
        for _, batch in snapshot.rows(part.start, part.stop, columns):
            ids += batch["id"].to_pylist()
            texts += batch["text"].to_pylist()
            named = [str(value) for value in batch[config.slice_by].to_pylist()] if config.slice_by else []
            slices += named or [""] * len(batch)
    update = (lambda documents: shown(documents, 0)) if shown else None
    fresh = np.ones(len(texts), bool)
    if folder.plan.rejection:
        decided = Decided.of(folder, folder.plan.rejection, part)
        table, fresh = decided.table(scorer, texts, config.limits, update), ~decided.copied
    else:
        found = assess(scorer, texts, config.limits, update=update, features=bool(config.embeddings))
        if found.features is not None:
            VectorFile(folder, part, read_space(folder)).write(found.features)
        table = found.table()
    scored = table["reason"].isna().to_numpy()
    lengths = np.zeros(len(texts), np.int64)
    with scorer.times.of("counting"):
        lengths[scored] = tokens.count([str(text) for text, good in zip(texts, scored, strict=True) if good])
    if shown:
        shown(0, int(table.loc[fresh, "tokens"].sum()), int((scored & fresh).sum()), int(lengths[fresh].sum()))
    table = table.assign(id=[value or "" for value in ids], budget_tokens=lengths, slice=slices)
    own = list(Sidecar.to_schema().columns)
    further = table.drop(columns=own)  # the columns of further rubrics, which the schema of a Sidecar does not know
    return pd.concat([Sidecar.validate(table[own]), further], axis=1)


@contextmanager
def _progress(documents: int, tally: Tally) -> Iterator[Any]:
    """Show a bar of documents with tokens per second. Yield its update.

    Its arguments: documents that are done, tokens that the model read, and documents with a score, their tokens and the
    seconds of each stage, which are counted in `tally`.
    """
    started, tokens = time.monotonic(), 0
    with counter(total=documents, unit=" documents", what="scoring") as bar:

        def show(
            more: int,
            more_tokens: int,
            scored: int = 0,
            scored_tokens: int = 0,
            seconds: Mapping[str, float] = MappingProxyType({}),
        ) -> None:
            nonlocal tokens
            tokens += more_tokens
            tally.add(scored, scored_tokens, seconds)
            if more_tokens:
                bar.set_postfix_str(f"{tokens / (time.monotonic() - started):,.0f} tokens/s", refresh=False)
            bar.update(more)

        yield show


def score_missing(opened: PartScorer, model: Path, processes: int | None, what: str) -> Scores:
    """Score the parts that do not exist yet, and return the scores. `what`: name of the stage."""
    folder, snapshot = opened.folder, opened.snapshot
    missing = folder.missing()
    with stage(what):
        if existing := len(folder.plan.parts()) - len(missing):
            say(f"{existing} of {len(folder.plan.parts())} parts exist already")
        job = ScoringJob(folder.url, snapshot.url, model)
        score_parts(job, missing, processes=processes, scorer=opened)
        return Scores.complete(folder)
