"""The documents of a selection, part by part of the scores: what one process writes does not depend on the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.scoring import Bins, Part, PartFolder, read_part
from assay.selection.columns import ADDED
from assay.selection.cut import Cut
from assay.selection.facts import SelectionFacts
from assay.selection.mix import shifted
from assay.selection.texts import batches_with
from assay.sources import free_names
from assay.storage import ROWS_PER_SHARD, Snapshot, WrittenShard, only_known_fields, write_shard

READ = ["id", "score", "calibrated", "p_keep", "grade", "budget_tokens", "reason", "in_scope"]


@dataclass(frozen=True)
class Shift:
    """Shares of good documents, by which p_keep is corrected."""

    labelled: float
    estimated: float


@dataclass(frozen=True)
class Fallen:
    """A near-duplicate that is not selected."""

    row: int
    id: str
    kept_id: str


@only_known_fields
@dataclass(frozen=True)
class SelectionPlan:
    """Everything that decides what is written, but for the place."""

    folder: str
    """Folder or URL of the scores."""
    rubric: str
    """Further rubric that ranks; empty: the main one."""
    bins: Bins
    cut: Cut
    edges: list[float]
    """Edges of the bars of the distribution of scores."""
    fallen: list[Fallen] = field(default_factory=list)
    shift: Shift | None = None


@dataclass(frozen=True)
class ShardPlan:
    """A shard: its number, the part in which it begins, the taken documents to pass over there, and its documents."""

    number: int
    first: int
    skip: int
    rows: int


@only_known_fields
@dataclass(frozen=True)
class SelectionShare:
    """What one process writes, and the parts that it alone looks at for both ends of the ranking."""

    plan: SelectionPlan
    corpus: str
    place: str
    """Folder or URL of the selection."""
    shards: list[ShardPlan]
    first: int
    after: int
    """It owns the parts from number `first` to before `after`."""


@only_known_fields
@dataclass(frozen=True)
class WrittenShare:
    """What one process wrote."""

    shards: list[WrittenShard]
    facts: SelectionFacts


def plan_shards(taken: Mapping[int, int], rows: int = ROWS_PER_SHARD) -> list[ShardPlan]:
    """Cut the taken documents into shards of `rows` documents. `taken`: first row of each part -> documents of it."""
    counts = np.array([taken[start] for start in sorted(taken)], np.int64)
    after = np.cumsum(counts)
    total = int(after[-1])
    shards = []
    for number, start in enumerate(range(0, total, rows)):
        first = int(np.searchsorted(after, start, side="right"))
        shards.append(ShardPlan(number, first, start - int(after[first] - counts[first]), min(rows, total - start)))
    return shards


def deal_shards(
    plan: SelectionPlan, corpus: str, place: str, runs: Sequence[list[ShardPlan]], parts: int
) -> list[SelectionShare]:
    """Return the shares of some runs of shards, which together have all of them in order."""
    starts = [0, *(run[0].first for run in runs[1:]), parts]
    return [
        SelectionShare(plan, corpus, place, run, starts[number], starts[number + 1]) for number, run in enumerate(runs)
    ]


class Selecting:
    """Reads what a plan takes of the parts of a corpus, and counts the facts of it."""

    def __init__(self, plan: SelectionPlan, corpus: Snapshot, folder: PartFolder) -> None:
        folder.plan.require(corpus)
        self.plan, self.corpus, self.folder = plan, corpus, folder
        self.parts = folder.plan.parts()
        self.slice_by = folder.plan.config.slice_by
        if self.slice_by:
            self.slice_by = free_names(corpus.manifest.schema, ADDED)[self.slice_by]
        self.facts = SelectionFacts()
        self._fallen = np.array(sorted(each.row for each in plan.fallen), np.int64)
        self._gone = {each.id for each in plan.fallen}
        self._correct = (
            partial(shifted, labelled=plan.shift.labelled, share=plan.shift.estimated) if plan.shift else None
        )

    def read(self, part: Part) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Return the scores of a part, and a mask of the documents that are taken, shape (n,)."""
        table = read_part(self.folder, part, READ, self.plan.rubric)
        taken = self.plan.cut.takes(table, self.plan.bins, part.start)
        low, high = np.searchsorted(self._fallen, [part.start, part.stop])
        taken[self._fallen[low:high] - part.start] = False
        return table, taken

    def rows(
        self, first: int = 0, skip: int = 0, most: int | None = None, *, ends: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """Yield the taken documents from part number `first` on, in record batches with the columns of a selection.

        `skip`: taken documents to pass over. `most`: documents at most. `ends`: note the documents at both ends of the
        ranking of these parts, too.
        """
        left = most
        for number in range(first, len(self.parts)):
            if left == 0:
                return
            part = self.parts[number]
            table, taken = self.read(part)
            if ends:
                self.facts.add_part(table, part.start, taken, self._gone)
            places = np.flatnonzero(taken)[skip:][:left]
            skip = max(0, skip - int(taken.sum()))
            left = None if left is None else left - len(places)
            yield from self._batches(table, part, places)

    def add_ends(self, own: range) -> None:
        """Note the documents at both ends of the ranking of some parts, by their numbers."""
        for part in (self.parts[number] for number in own):
            table, taken = self.read(part)
            self.facts.add_part(table, part.start, taken, self._gone)

    def _batches(self, table: pd.DataFrame, part: Part, places: Any) -> Iterator[pa.RecordBatch]:
        rows = places + part.start
        added = table.rename(columns={"budget_tokens": "tokens"}).iloc[places].assign(corpus_row=rows)
        if self._correct is not None:
            added["p_keep"] = self._correct(added["p_keep"])
        for first, batch in batches_with(self.corpus, rows):
            here = slice(*np.searchsorted(rows, [first, first + batch.num_rows]))
            chosen = batch.take(pa.array(rows[here] - first))
            names = free_names(chosen.schema.names, ADDED)
            fields = {kept: chosen[name] for name, kept in names.items()}
            fields |= {name: pa.array(added[name].iloc[here], kind, from_pandas=True) for name, kind in ADDED.items()}
            found = pa.record_batch(list(fields.values()), names=list(fields))
            self.facts.add_rows(found, self.plan.edges, self.slice_by)
            yield found


def write_share(share: SelectionShare) -> WrittenShare:
    """Write the shards of a share to their places, and return them with the facts of their documents."""
    work = Selecting(share.plan, Snapshot.open(share.corpus), PartFolder.open(share.plan.folder))
    written = [
        write_shard(share.place, each.number, work.rows(each.first, each.skip, each.rows, ends=False), tokens="tokens")
        for each in share.shards
    ]
    work.add_ends(range(share.first, share.after))
    return WrittenShare(written, work.facts.with_texts(work.corpus))
