"""Choose documents of a scored corpus: rank them, cut the ranking, and take the best of each near-duplicate cluster."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.errors import InputError
from assay.model import Calibration
from assay.progress import say
from assay.scoring import REJECTED, Scores
from assay.selection.cut import READ, Cut, Last, aim_of, count_parts, settle
from assay.selection.request import SelectionRequest
from assay.selection.shares import Fallen
from assay.selection.texts import texts_on_disk
from assay.storage import Snapshot

SPARE = 1.05
"""Tokens that are ranked at first, as a multiple of the budget: some documents will be dropped as near-duplicates."""


@dataclass(frozen=True)
class Step:
    """One row of the funnel: what is left after a step."""

    name: str
    documents: int
    tokens: int | None
    """Tokens by the tokenizer of the budget; None if they were not counted."""


@dataclass(frozen=True)
class Choice:
    """The selected documents, and the reasons why the others were not."""

    rows: NDArray[np.int64]
    """Row numbers in the snapshot, rising, shape (n,)."""
    cut: float
    """Lowest score of a selected document."""
    promised: int
    """Tokens of the budget; without a budget, those of all documents that reach the cut."""
    realised: int
    """Tokens of the selected documents."""
    funnel: tuple[Step, ...]
    end: Cut
    """Where the ranking ends."""
    fallen: tuple[Fallen, ...] = ()
    """Near-duplicates above the cut, the best first, which are not selected."""

    @property
    def duplicates(self) -> pd.DataFrame:
        """Return `id` of each near-duplicate that was dropped, and `kept_id` of the document kept instead."""
        return duplicates_of(self.fallen)


def duplicates_of(fallen: Sequence[Fallen]) -> pd.DataFrame:
    """Return the table of near-duplicates: `id` and `kept_id`."""
    rows = [(each.id, each.kept_id) for each in fallen]
    return pd.DataFrame(rows, columns=["id", "kept_id"], dtype=object)


def is_searched(snapshot: Snapshot, request: SelectionRequest) -> bool:
    """Return True if a selection of this corpus is searched for near-duplicates.

    It is not if they are wanted, or if the corpus has none: a build has searched all of it, as its manifest says.
    """
    built = snapshot.manifest.provenance.get("config", {})
    clean = isinstance(built, dict) and "dedup" in built and built.get("keep_duplicates") is False
    return not request.keep_duplicates and (request.search_again or not clean)


def require_scores(scores: Scores, snapshot: Snapshot) -> None:
    """Raise InputError if nothing can be chosen by these scores of a corpus."""
    scores.folder.plan.require(snapshot)
    if scores.folder.plan.rejection and scores.rubric:
        raise InputError(
            "what a cheap model rejected by the main rubric has no score by others",
            where=scores.folder.url,
            fix="Score without --cheap to select by another rubric",
        )
    if not scores.totals.in_scope:
        raise InputError("no document of this corpus has a score and is in scope", where=scores.folder.url)


def choose(scores: Scores, snapshot: Snapshot, calibration: Calibration, request: SelectionRequest) -> Choice:
    """Choose the best documents. Equal scores are ordered by id.

    A budget takes the longest beginning of the ranking, without near-duplicates, that does not exceed it. A share, a
    threshold or a target gives the cut, and near-duplicates above it are dropped. The best document of each cluster is
    kept; clusters are formed from the documents down to the cut. Raise InputError if no document can be taken.
    """
    require_scores(scores, snapshot)
    if not is_searched(snapshot, request):
        return _by_counts(scores, calibration, request)
    if request.token_budget is not None:
        ranked = _filling(scores, snapshot, request.token_budget)
        taken = ranked["stays"] & (ranked["tokens"].where(ranked["stays"], 0).cumsum() <= request.token_budget)
        if not taken.any():
            raise InputError(
                f"the best document alone has {ranked['tokens'].iloc[0]:,} tokens, more than the budget",
                where="selection",
                fix="Raise the budget",
            )
        reached = ranked.iloc[: int(np.flatnonzero(taken)[-1]) + 1]
    else:
        reached = _represented(_above(scores, calibration, request), snapshot)
        taken = reached["stays"]
    chosen = reached[taken.reindex(reached.index)]
    fallen = reached.loc[~reached["stays"], ["row", "id", "kept_id"]]
    last = Last(float(chosen["score"].iloc[-1]), str(chosen["id"].iloc[-1]), int(chosen["row"].iloc[-1]))
    end = Cut(int(scores.histogram.bins.of(np.array([last.score]))[0]), last)
    tokens = int(chosen["tokens"].sum())
    return Choice(
        rows=np.sort(chosen["row"].to_numpy(np.int64)),
        cut=float(chosen["score"].iloc[-1]),
        promised=request.token_budget or int(reached["tokens"].sum()),
        realised=tokens,
        funnel=funnel_of(scores, (len(reached), int(reached["tokens"].sum())), (len(chosen), tokens)),
        end=end,
        fallen=tuple(Fallen(int(row), str(name), str(kept)) for row, name, kept in fallen.itertuples(index=False)),
    )


def funnel_of(scores: Scores, reached: tuple[int, int], taken: tuple[int, int]) -> tuple[Step, ...]:
    """Return the funnel of a selection. `reached` and `taken`: documents and tokens."""
    totals = scores.totals
    return (
        Step("in the corpus", totals.documents, None),
        *_left_by_cheap(scores),
        Step("with a score", totals.scored, None),
        Step("in scope", totals.in_scope, totals.budget_tokens),
        Step("reach the cut", *reached),
        Step("taken: no near-duplicate of a better one", *taken),
    )


def _by_counts(scores: Scores, calibration: Calibration, request: SelectionRequest) -> Choice:
    """Choose without a search for near-duplicates: the counts of the scores say all but the order in one bin."""
    plan, bins = scores.folder.plan, scores.histogram.bins
    aim = aim_of(scores, calibration, request)
    counted = count_parts(scores.folder, scores.rubric, bins, plan.parts(), aim)
    settled = settle(aim, [counted], plan.config.rows_per_part, scores.folder.url)
    rows, lowest = [], math.inf
    for part, table in scores.rows(READ):
        taken = settled.cut.takes(table, bins, part.start)
        rows.append(np.flatnonzero(taken) + part.start)
        lowest = min(lowest, table["score"].to_numpy(float)[taken].min(initial=math.inf))
    both = (settled.documents, settled.tokens)
    return Choice(
        rows=np.concatenate(rows),
        cut=float(lowest),
        promised=request.token_budget or settled.tokens,
        realised=settled.tokens,
        funnel=funnel_of(scores, both, both),
        end=settled.cut,
    )


def _left_by_cheap(scores: Scores) -> list[Step]:
    """Return the step of a cascade; none if every document was scored."""
    if not scores.folder.plan.rejection:
        return []
    left = scores.totals.documents - scores.totals.reasons.get(REJECTED, 0)
    return [Step("not rejected by the cheap model", left, None)]


def ranking(scores: Scores, lowest_bin: int) -> pd.DataFrame:
    """Rank the documents with a score and in scope, from a bin of the histogram upward.

    Columns: `row`, `id`, `score`, `tokens`; the best document first.
    """
    tables = []
    for part, table in scores.rows(READ):
        table = table.assign(row=np.arange(part.start, part.stop))
        table = table[table["reason"].isna() & table["in_scope"]]
        high = scores.histogram.bins.of(table["score"].to_numpy(float)) >= lowest_bin
        tables.append(table.loc[high, ["row", "id", "score", "budget_tokens"]])
    found = pd.concat(tables, ignore_index=True).rename(columns={"budget_tokens": "tokens"})
    # By id before row: equal scores are then ordered alike in every order of the corpus.
    order = found.sort_values(["score", "id", "row"], ascending=[False, True, True], kind="stable")
    return order.reset_index(drop=True)


def _above(scores: Scores, calibration: Calibration, request: SelectionRequest) -> pd.DataFrame:
    """Return the ranking down to the cut of a share, a threshold or a target."""
    aim = aim_of(scores, calibration, request)
    found = ranking(scores, aim.bin)
    if aim.documents is not None:
        return found.iloc[: aim.documents]
    cut = aim.score if aim.score is not None else -math.inf
    found = found[found["score"] >= cut]
    if found.empty:
        raise InputError(
            f"no document reaches the score {cut:.3f}",
            where=scores.folder.url,
            fix="Lower the threshold, or give a share",
        )
    return found


def _filling(scores: Scores, snapshot: Snapshot, budget: int) -> pd.DataFrame:
    """Return the ranking down to where it fills the budget without near-duplicates, or all of it."""
    aim = math.ceil(budget * SPARE)
    while True:
        lowest = scores.histogram.bin_of_budget(aim)
        found = ranking(scores, lowest or 0)
        enough = int(np.searchsorted(found["tokens"].cumsum().to_numpy(), aim)) + 1
        ranked = _represented(found.iloc[:enough], snapshot)
        missing = budget - int(ranked.loc[ranked["stays"], "tokens"].sum())
        if missing <= 0 or lowest is None:
            if missing > 0:
                say(f"the whole corpus has {budget - missing:,} of the {budget:,} tokens requested")
            return ranked
        # As many more as fill the gap if the same share of them is kept. The share may be 0 so far.
        share = 1 - missing / budget
        aim += math.ceil(missing / max(share, 0.1) * SPARE)


def _represented(found: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    """Add `stays`, True for the best document of each cluster, and `kept_id`, the id of that document."""
    found = found.reset_index(drop=True)
    with texts_on_disk(snapshot, found["row"].to_numpy(np.int64)) as texts:
        cluster = near_duplicate_clusters(texts, progress=True)
    best = pd.Series(cluster).groupby(cluster).transform(lambda group: group.index[0]).to_numpy()
    return found.assign(stays=best == np.arange(len(found)), kept_id=found["id"].to_numpy()[best])
