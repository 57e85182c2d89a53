"""Which documents of a scored corpus are taken: ranked, cut, and of near-duplicates the best one."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.errors import InputError
from assay.model import Calibration
from assay.progress import say
from assay.scoring import Scores
from assay.selection.request import SelectionRequest, score_at
from assay.selection.texts import texts_on_disk
from assay.storage import Snapshot

SPARE = 1.05
"""How far beyond a budget is looked at first, for what falls out as near-duplicate."""
READ = ["id", "score", "budget_tokens", "reason", "in_scope"]


@dataclass(frozen=True)
class Step:
    """One line of the funnel."""

    name: str
    documents: int
    tokens: int | None
    """By the tokenizer of the budget; None where they were not counted."""


@dataclass(frozen=True)
class Choice:
    """What is taken, and what became of the rest."""

    rows: NDArray[np.int64]
    """Row numbers in the snapshot, rising, shape (n,)."""
    cut: float
    """Score of the last document taken."""
    promised: int
    """Tokens: the budget, or where there is none, all that reach the cut."""
    realised: int
    """Tokens of what is taken."""
    funnel: tuple[Step, ...]
    duplicates: pd.DataFrame
    """`id` of every near-duplicate that fell out, and `kept_id` of the document that stands for it."""


def choose(scores: Scores, snapshot: Snapshot, calibration: Calibration, request: SelectionRequest) -> Choice:
    """Take the best documents, those of equal scores by id.

    A budget is filled by the longest run of the ranking, without near-duplicates, that does not exceed it. A share
    or a threshold gives the cut, and near-duplicates above it fall out. Of a cluster the best document stays;
    clusters are those of the documents looked at. Raises InputError where nothing is left to take.
    """
    if not scores.totals.in_scope:
        raise InputError("no document of this corpus has a score and is in scope", where=scores.folder.url)
    if request.token_budget is not None:
        looked_at = _filling(scores, snapshot, request, request.token_budget)
        taken = looked_at["stays"] & (looked_at["tokens"].where(looked_at["stays"], 0).cumsum() <= request.token_budget)
        if not taken.any():
            raise InputError(
                f"the best document alone has {looked_at['tokens'].iloc[0]:,} tokens, more than the budget",
                where="selection",
                fix="Raise the budget",
            )
        reached = looked_at.iloc[: int(np.flatnonzero(taken)[-1]) + 1]
    else:
        reached = _represented(_above(scores, calibration, request), snapshot, request)
        taken = reached["stays"]
    chosen, totals = reached[taken.reindex(reached.index)], scores.totals
    fallen = reached[~reached["stays"]]
    return Choice(
        rows=np.sort(chosen["row"].to_numpy(np.int64)),
        cut=float(chosen["score"].iloc[-1]),
        promised=request.token_budget or int(reached["tokens"].sum()),
        realised=int(chosen["tokens"].sum()),
        funnel=(
            Step("in the corpus", totals.documents, None),
            Step("with a score", totals.scored, None),
            Step("in scope", totals.in_scope, totals.budget_tokens),
            Step("reach the cut", len(reached), int(reached["tokens"].sum())),
            Step("taken: no near-duplicate of a better one", len(chosen), int(chosen["tokens"].sum())),
        ),
        duplicates=fallen[["id", "kept_id"]].reset_index(drop=True),
    )


def ranking(scores: Scores, lowest_bin: int) -> pd.DataFrame:
    """Documents that may be taken, from a bin of the histogram upward: `row`, `id`, `score`, `tokens`, best first."""
    tables = []
    for part, table in scores.rows(READ):
        table = table.assign(row=np.arange(part.start, part.stop))
        table = table[table["reason"].isna() & table["in_scope"]]
        high = scores.histogram.bins.of(table["score"].to_numpy(float)) >= lowest_bin
        tables.append(table.loc[high, ["row", "id", "score", "budget_tokens"]])
    found = pd.concat(tables, ignore_index=True).rename(columns={"budget_tokens": "tokens"})
    order = found.sort_values(["score", "id", "row"], ascending=[False, True, True], kind="stable")
    return order.reset_index(drop=True)


def _above(scores: Scores, calibration: Calibration, request: SelectionRequest) -> pd.DataFrame:
    """The ranking down to the cut of a share, a threshold or a target."""
    if request.share is not None:
        count = math.ceil(request.share * scores.totals.in_scope)
        lowest = scores.histogram.bin_of_documents(count)
        assert lowest is not None  # a share of at most 1
        return ranking(scores, lowest).iloc[:count]
    cut = score_at(calibration, request.threshold, request.keep)
    lowest = int(scores.histogram.bins.of(np.array([cut]))[0])
    found = ranking(scores, lowest)
    found = found[found["score"] >= cut]
    if found.empty:
        raise InputError(
            f"no document reaches the score {cut:.3f}",
            where=scores.folder.url,
            fix="Lower the threshold, or give a share",
        )
    return found


def _filling(scores: Scores, snapshot: Snapshot, request: SelectionRequest, budget: int) -> pd.DataFrame:
    """The ranking as far down as it takes to fill the budget without near-duplicates, or all of it."""
    aim = budget if request.keep_duplicates else math.ceil(budget * SPARE)
    while True:
        lowest = scores.histogram.bin_of_budget(aim)
        found = ranking(scores, lowest or 0)
        enough = int(np.searchsorted(found["tokens"].cumsum().to_numpy(), aim)) + 1
        looked_at = _represented(found.iloc[:enough], snapshot, request)
        missing = budget - int(looked_at.loc[looked_at["stays"], "tokens"].sum())
        if missing <= 0 or lowest is None:
            if missing > 0:
                say(f"the whole corpus has {budget - missing:,} of the {budget:,} tokens asked for")
            return looked_at
        share = 1 - missing / budget  # of the tokens looked at so far, what stayed
        aim += math.ceil(missing / max(share, 0.1) * SPARE)


def _represented(found: pd.DataFrame, snapshot: Snapshot, request: SelectionRequest) -> pd.DataFrame:
    """A ranking with `stays`, and `kept_id`: the document that stands for each one's cluster, the best of it."""
    found = found.reset_index(drop=True)
    if request.keep_duplicates:
        return found.assign(stays=True, kept_id=found["id"])
    with texts_on_disk(snapshot, found["row"].to_numpy(np.int64)) as texts:
        cluster = near_duplicate_clusters(texts, progress=True)
    best = pd.Series(cluster).groupby(cluster).transform(lambda group: group.index[0]).to_numpy()
    return found.assign(stays=best == np.arange(len(found)), kept_id=found["id"].to_numpy()[best])
