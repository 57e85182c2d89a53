"""Score the parts of a corpus that do not exist yet, in this process or in several."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.inference import Scorer, TokenCounter, assess, token_counter
from assay.model import Kind, ModelInfo, calibrated_info
from assay.parallel import Update, in_processes, require_processes, usable_cores
from assay.progress import counter, say, stage
from assay.scoring.costs import Tally, metered
from assay.scoring.decided import Decided
from assay.scoring.plan import Part, PartFolder, Plan, Rejection, ScoringConfig
from assay.scoring.scores import Scores, complete_folders
from assay.scoring.sidecar import PartFile, Sidecar
from assay.scoring.vectors import Space, VectorFile, encoder_of, plan_on_vectors, read_space, rescored, write_space
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_folder, exists

DOCUMENTS_A_PROCESS = {"encoder": 1_000, "lexical": 20_000}
"""Documents from which another process pays for its start, by kind of model: it imports all libraries anew."""


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
        return PartScorer(folder, Snapshot.open(self.snapshot), Scorer.load(self.model), tokens)


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
        file.write(table)
        return 1


def worthwhile_processes(documents: int, kind: Kind) -> int:
    """Return how many processes score so many documents soonest: at most one a core, and one in all with a GPU."""
    if kind == "encoder":
        import torch

        if torch.cuda.is_available():
            return 1
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
    with metered(root, plan.key, plan.model) as tally, _progress(documents, tally) as shown:
        if processes > 1 and len(order) > 1:
            processes = min(processes, len(order))
            return in_processes(
                partial(_score_one, job), order, shown, processes=processes, doing="scored parts", where=job.folder
            )
        scorer = scorer or job.open()
        return sum(scorer.score(part, shown) for part in order)


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
    for _, batch in snapshot.rows(part.start, part.stop, columns):
        ids += batch["id"].to_pylist()
        texts += batch["text"].to_pylist()
        slices += [str(value) for value in batch[config.slice_by].to_pylist()] if config.slice_by else [""] * len(batch)
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

    Its arguments: documents that are done, tokens that the model read, and documents with a score and their tokens,
    which are counted in `tally`.
    """
    started, tokens = time.monotonic(), 0
    with counter(total=documents, unit=" documents", what="scoring") as bar:

        def show(more: int, more_tokens: int, scored: int = 0, scored_tokens: int = 0) -> None:
            nonlocal tokens
            tokens += more_tokens
            tally.add(scored, scored_tokens)
            if more_tokens:
                bar.set_postfix_str(f"{tokens / (time.monotonic() - started):,.0f} tokens/s", refresh=False)
            bar.update(more)

        yield show


def plan_scoring(
    snapshot: Snapshot,
    model: Path,
    tokens: TokenCounter,
    config: ScoringConfig,
    root: str,
    rejection: Rejection | None = None,
) -> PartFolder:
    """Plan the parts of a corpus for a model, and return the folder of their scores below `root`.

    Raise InputError if the model is not calibrated, or the settings do not fit the corpus.
    """
    plan = Plan.of(snapshot, calibrated_info(model), digest_folder(model), tokens.name, config, rejection)
    folder = PartFolder.create(root, plan)
    if config.embeddings:
        write_space(folder, Space.of(*encoder_of(model), model))
    return folder


def score_corpus(
    source: str,
    model: Path,
    columns: Columns,
    root: str,
    config: ScoringConfig,
    *,
    period: Period | None = None,
    processes: int | None = None,
) -> Scores:
    """Score the documents of a source, or of a period of it, into a folder below `root`.

    `processes`: by default as many as pay off.
    Existing parts are not scored again. Raise InputError if something cannot be read or written, or if a process dies.
    The existing parts stay, and the same call resumes with the others.
    """
    # The model and the tokenizer are checked before a corpus is copied without effect.
    calibrated_info(model)
    scorer, tokens = Scorer.load(model), token_counter(config.tokenizer)
    snapshot = open_corpus(source, columns, root, period)
    return score_snapshot(snapshot, model, root, config, processes=processes, opened=(scorer, tokens))


def score_snapshot(
    snapshot: Snapshot,
    model: Path,
    root: str,
    config: ScoringConfig,
    *,
    processes: int | None = None,
    rejection: Rejection | None = None,
    opened: tuple[Scorer, TokenCounter] | None = None,
    what: str = "Score",
) -> Scores:
    """Score a snapshot as `score_corpus` does. `opened`: the model and the tokenizer, if they are open already.

    `rejection`: what a cheap model rejected before. `what`: name of the stage.
    """
    scorer, tokens = opened or (Scorer.load(model), token_counter(config.tokenizer))
    folder = plan_scoring(snapshot, model, tokens, config, root, rejection)
    return _score_missing(PartScorer(folder, snapshot, scorer, tokens), model, processes, what)


def score_vectors(
    source: str, model: Path, columns: Columns, root: str, *, period: Period | None = None, processes: int | None = None
) -> Scores:
    """Score a corpus by the vectors that earlier scores below `root` have kept, without reading a text.

    The model has the encoder of the model that kept them, and another head. Raise InputError if there are no such
    vectors, and as `score_corpus`.
    """
    info = calibrated_info(model)
    encoder, opened = encoder_of(model)
    snapshot = open_corpus(source, columns, root, period)
    plan = Plan.of(snapshot, info, digest_folder(model), "", ScoringConfig())
    plan = plan_on_vectors(complete_folders(root), plan, encoder, root)
    folder, tokens = PartFolder.create(root, plan), TokenCounter(plan.tokenizer)
    return _score_missing(PartScorer(folder, snapshot, Scorer(opened), tokens), model, processes, "Score the vectors")


def _score_missing(opened: PartScorer, model: Path, processes: int | None, what: str) -> Scores:
    folder, snapshot = opened.folder, opened.snapshot
    missing = folder.missing()
    with stage(what):
        if existing := len(folder.plan.parts()) - len(missing):
            say(f"{existing} of {len(folder.plan.parts())} parts exist already")
        job = ScoringJob(folder.url, snapshot.url, model)
        score_parts(job, missing, processes=processes, scorer=opened)
        return Scores.complete(folder)
