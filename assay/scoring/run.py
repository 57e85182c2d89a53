"""Scoring: parts that are missing are scored, one after the other, until all are there."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.inference import Scorer, TokenCounter, assess, token_counter
from assay.model import calibrated_info
from assay.progress import counter, say, stage
from assay.scoring.plan import Part, PartFolder, Plan, ScoringConfig
from assay.scoring.scores import Scores
from assay.scoring.sidecar import Sidecar, part_bytes
from assay.sources import Columns, open_corpus
from assay.storage import (
    Snapshot,
    digest_folder,
    exists,
    join,
    write_bytes,
)


def score_parts(
    folder: PartFolder, parts: Sequence[Part], snapshot: Snapshot, scorer: Scorer, tokens: TokenCounter
) -> int:
    """Score the parts that nobody has written yet; returns how many this process scored.

    Each appears when it is complete, so that a killed run loses the one in flight. Processes that run at once
    begin at different parts and share the work; where two score the same one, they write the same bytes.
    Raises InputError where the input is gone or the disk full; the parts that are there stay.
    """
    order = list(parts)
    random.Random(os.getpid()).shuffle(order)
    done = 0
    with _progress(sum(part.stop - part.start for part in order)) as shown:
        for part in order:
            place = join(folder.url, part.name)
            if exists(place):
                shown(part.stop - part.start, 0)
                continue
            table = score_part(folder, part, snapshot, scorer, tokens, shown=shown)
            write_bytes(place, part_bytes(table, folder.plan.bins))
            done += 1
    return done


def score_part(
    folder: PartFolder, part: Part, snapshot: Snapshot, scorer: Scorer, tokens: TokenCounter, *, shown: Any = None
) -> pd.DataFrame:
    """The Sidecar of one part. Memory holds its texts."""
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
    table = assess(scorer, texts, config.limits, update=update).table()
    scored = table["reason"].isna().to_numpy()
    lengths = np.zeros(len(texts), np.int64)
    lengths[scored] = tokens.count([str(text) for text, good in zip(texts, scored, strict=True) if good])
    if shown:
        shown(0, int(table["tokens"].sum()))
    table = table.assign(id=[value or "" for value in ids], budget_tokens=lengths, slice=slices)
    own = list(Sidecar.to_schema().columns)
    further = table.drop(columns=own)  # of further rubrics
    return pd.concat([Sidecar.validate(table[own]), further], axis=1)


@contextmanager
def _progress(documents: int) -> Iterator[Any]:
    """A bar of documents with tokens a second; it is told of both as they are done."""
    started, tokens = time.monotonic(), 0
    with counter(total=documents, unit=" documents", what="scoring") as bar:

        def show(more: int, more_tokens: int) -> None:
            nonlocal tokens
            tokens += more_tokens
            if more_tokens:
                bar.set_postfix_str(f"{tokens / (time.monotonic() - started):,.0f} tokens/s", refresh=False)
            bar.update(more)

        yield show


def plan_scoring(snapshot: Snapshot, model: Path, tokens: TokenCounter, config: ScoringConfig, root: str) -> PartFolder:
    """The parts of a corpus for a model, and the folder below `root` where their scores lie or will lie.

    Raises InputError for a model that was never calibrated, and for settings that do not fit the corpus.
    """
    plan = Plan.of(snapshot, calibrated_info(model), digest_folder(model), tokens.name, config)
    return PartFolder.create(root, plan)


def score_corpus(source: str, model: Path, columns: Columns, root: str, config: ScoringConfig) -> Scores:
    """Score all documents of a source below `root`; what is there already is not scored again.

    Raises InputError for what cannot be read or written; the parts that are there stay, and the same call goes
    on with the others.
    """
    calibrated_info(model)
    scorer, tokens = Scorer.load(model), token_counter(config.tokenizer)  # before a corpus is copied in vain
    snapshot = open_corpus(source, columns, root)
    folder = plan_scoring(snapshot, model, tokens, config, root)
    missing = folder.missing()
    with stage("Score"):
        there = len(folder.plan.parts()) - len(missing)
        if there:
            say(f"{there} of {len(folder.plan.parts())} parts are there already")
        score_parts(folder, missing, snapshot, scorer, tokens)
        return Scores.complete(folder)
