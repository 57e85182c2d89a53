"""Select by several processes: count, settle the cut, write shards, finish. Each step has the size of a share.

    aim         the bin of the cut, from the counts in the footers of the scores
    count       for each share of the parts: what lies above the bin, and the documents of it
    settle      the cut, and the shards that follow from it
    write       for each share of the shards: straight to their place
    finish      manifest, card and report

A search for near-duplicates needs the texts of all that is selected, and goes on in one process at `settle`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assay.scoring import Bins, Part, PartFolder
from assay.selection.choose import choose, is_searched
from assay.selection.cut import Aim, Counted, aim_of, count_parts, settle
from assay.selection.shares import SelectionShare, deal_shards, plan_shards
from assay.selection.write import Draft, Writing
from assay.storage import ROWS_PER_SHARD, deal_runs, only_known_fields


@only_known_fields
@dataclass(frozen=True)
class CountShare:
    """The parts that one process counts."""

    folder: str
    rubric: str
    bins: Bins
    aim: Aim
    parts: list[Part]


@only_known_fields
@dataclass(frozen=True)
class CountedShare:
    """What one process counted."""

    above: list[tuple[int, int, int]]
    """First row of a part, and its documents and tokens above the bin of the cut."""
    within: list[tuple[int, str, float, int]]
    """Row, id, score and tokens of the documents of the bin."""


def plan_counting(writing: Writing, workers: int) -> list[CountShare]:
    """Deal out the parts that are counted; none if the selection is searched for near-duplicates."""
    if is_searched(writing.corpus, writing.request):
        return []
    assert writing.calibration is not None
    scores = writing.scores
    aim = aim_of(scores, writing.calibration, writing.request)
    return [
        CountShare(scores.folder.url, scores.rubric, scores.histogram.bins, aim, parts)
        for parts in deal_runs(scores.folder.plan.parts(), workers)
    ]


def count_share(share: CountShare) -> CountedShare:
    """Count the parts of a share."""
    found = count_parts(PartFolder.open(share.folder), share.rubric, share.bins, share.parts, share.aim)
    return CountedShare(
        [(start, documents, tokens) for start, (documents, tokens) in found.above.items()],
        [
            (int(row), str(name), float(score), int(tokens))
            for row, name, score, tokens in found.within.itertuples(index=False)
        ],
    )


def plan_writing(
    writing: Writing, counted: Sequence[CountedShare], place: str, workers: int, rows_per_shard: int = ROWS_PER_SHARD
) -> tuple[Draft, list[SelectionShare]]:
    """Settle the cut, and deal out the shards. Raise InputError if no document can be taken.

    `counted`: of all shares of `plan_counting`; empty if the selection is searched for near-duplicates.
    """
    scores = writing.scores
    size, parts = scores.folder.plan.config.rows_per_part, scores.folder.plan.parts()
    assert writing.calibration is not None
    if counted:
        settled = settle(
            aim_of(scores, writing.calibration, writing.request),
            [Counted({start: (n, t) for start, n, t in each.above}, _table(each.within)) for each in counted],
            size,
            scores.folder.url,
        )
        both = (settled.documents, settled.tokens)
        promised = writing.request.token_budget or settled.tokens
        draft = Draft(writing.plan_to(settled.cut), place, promised, both, both)
        taken = settled.taken
    else:
        choice = choose(scores, writing.corpus, writing.calibration, writing.request)
        reached = choice.funnel[-2]
        draft = Draft(
            writing.plan(choice),
            place,
            choice.promised,
            (reached.documents, reached.tokens or 0),
            (len(choice.rows), choice.realised),
        )
        by_part = Counter((choice.rows // size * size).tolist())
        taken = {part.start: by_part[part.start] for part in parts}
    runs = deal_runs(plan_shards(taken, rows_per_shard), workers)
    return draft, deal_shards(draft.plan, writing.corpus.url, place, runs, len(parts))


def _table(rows: list[tuple[int, str, float, int]]) -> pd.DataFrame:
    kinds: dict[Any, Any] = {"row": "int64", "score": "float64", "tokens": "int64"}
    return pd.DataFrame(rows, columns=["row", "id", "score", "tokens"]).astype(kinds)
