"""Find the cut of a ranking from counts: only the documents of one bin of the histogram are compared one by one.

What lies in higher bins is taken, what lies in lower ones is not. Within the bin of the cut, the documents are ranked
by score and id. So memory holds that bin, and not the selection, and the parts of the scores can be read by any number
of processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.model import Calibration
from assay.proportions import rounded_up
from assay.scoring import Bins, Part, PartFolder, Scores, read_part
from assay.selection.request import SelectionRequest, score_at

READ = ["id", "score", "budget_tokens", "reason", "in_scope"]


@dataclass(frozen=True)
class Aim:
    """What is wanted, and the bin in which the cut lies."""

    bin: int
    documents: int | None = None
    """Documents to take; None: as many as fit."""
    tokens: int | None = None
    """Tokens to take at most."""
    score: float | None = None
    """Lowest score to take."""


@dataclass(frozen=True)
class Last:
    """The last document of the ranking that is taken."""

    score: float
    id: str
    row: int


@dataclass(frozen=True)
class Cut:
    """The end of what is taken: all of the bins above `bin`, and of that bin what is not behind `last`."""

    bin: int
    last: Last | None = None
    """None: nothing of the bin is taken."""

    def takes(self, table: pd.DataFrame, bins: Bins, start: int) -> NDArray[np.bool_]:
        """Return True for each document of a part that is taken, shape (n,). `start`: its first row in the corpus."""
        at = np.flatnonzero((table["reason"].isna() & table["in_scope"]).to_numpy(bool))
        score = table["score"].to_numpy(float)[at]
        place = bins.of(score)
        inside = place > self.bin
        if self.last:
            same = np.flatnonzero(place == self.bin)
            inside[same[score[same] > self.last.score]] = True
            tied = same[score[same] == self.last.score]
            keys = zip(table["id"].to_numpy(object)[at[tied]], (at[tied] + start).tolist(), strict=True)
            inside[tied] = [key <= (self.last.id, self.last.row) for key in keys]
        taken = np.zeros(len(table), bool)
        taken[at[inside]] = True
        return taken


@dataclass(frozen=True)
class Counted:
    """What the cut needs to know of parts: the documents above its bin, and those of the bin."""

    above: dict[int, tuple[int, int]]
    """First row of a part -> its documents and tokens in the bins above."""
    within: pd.DataFrame
    """Columns `row`, `id`, `score`, `tokens`: the documents of the bin that can be taken."""


def aim_of(scores: Scores, calibration: Calibration, request: SelectionRequest) -> Aim:
    """Return the bin in which the cut of a request lies, by the counts of all parts. Raise InputError if none does."""
    if request.token_budget is not None:
        return Aim(scores.histogram.bin_of_budget(request.token_budget) or 0, tokens=request.token_budget)
    if request.share is not None:
        count = rounded_up(request.share, scores.totals.in_scope + scores.totals.rejected)
        lowest = scores.histogram.bin_of_documents(count)
        if lowest is None:  # of all documents a share of at most 1 is there
            raise InputError(
                f"a share of {request.share:g} is {count:,} documents, and the cascade has scored "
                f"{scores.totals.in_scope:,}",
                where=scores.folder.url,
                fix="Give a smaller share, or score with a larger --cascade-share or without --cheap",
            )
        return Aim(lowest, documents=count)
    cut = score_at(calibration, request.threshold, request.keep)
    return Aim(int(scores.histogram.bins.of(np.array([cut]))[0]), score=cut)


def count_parts(folder: PartFolder, rubric: str, bins: Bins, parts: Iterable[Part], aim: Aim) -> Counted:
    """Count the documents of some parts above the bin of the cut, and return those of the bin."""
    above, within = {}, []
    for part in parts:
        table = read_part(folder, part, READ, rubric)
        table = table.assign(row=np.arange(part.start, part.stop))
        table = table[(table["reason"].isna() & table["in_scope"]).to_numpy(bool)]
        place = bins.of(table["score"].to_numpy(float))
        higher = table["budget_tokens"].to_numpy(np.int64)[place > aim.bin]
        above[part.start] = (len(higher), int(higher.sum()))
        here = table[place == aim.bin]
        if aim.score is not None:
            here = here[here["score"] >= aim.score]
        within.append(here[["row", "id", "score", "budget_tokens"]].rename(columns={"budget_tokens": "tokens"}))
    return Counted(above, pd.concat(within, ignore_index=True))


@dataclass(frozen=True)
class Settled:
    """A cut, and what it takes of each part."""

    cut: Cut
    taken: dict[int, int]
    """First row of a part -> documents that are taken of it, in the order of the corpus."""
    tokens: int

    @property
    def documents(self) -> int:
        """Return the number of documents that are taken."""
        return sum(self.taken.values())


def settle(aim: Aim, counted: Sequence[Counted], rows_per_part: int, where: str) -> Settled:
    """Return the cut, from what was counted in all parts. Equal scores are ordered by id, then by row.

    Raise InputError if no document can be taken.
    """
    above = {start: counts for each in counted for start, counts in each.above.items()}
    documents, tokens = (sum(counts[place] for counts in above.values()) for place in (0, 1))
    within = pd.concat([each.within for each in counted], ignore_index=True)
    within = within.sort_values(["score", "id", "row"], ascending=[False, True, True], kind="stable")
    if aim.documents is not None:
        within = within.iloc[: aim.documents - documents]
    elif aim.tokens is not None:
        filled = tokens + within["tokens"].cumsum().to_numpy()
        # No document behind the one that fills the budget, also if it has no token.
        most = int(np.searchsorted(filled, aim.tokens)) + 1
        fitting = within.iloc[: int((filled[:most] <= aim.tokens).sum())]
        if not documents and fitting.empty:
            raise InputError(
                f"the best document alone has {int(within['tokens'].iloc[0]):,} tokens, more than the budget",
                where="selection",
                fix="Raise the budget",
            )
        within = fitting
    if not documents and within.empty:
        raise InputError(
            f"no document reaches the score {aim.score or 0.0:.3f}",
            where=where,
            fix="Lower the threshold, or give a share",
        )
    last = None if within.empty else Last(*_last(within))
    counts = (within["row"] // rows_per_part * rows_per_part).value_counts()
    taken = {start: above[start][0] + int(counts.get(start, 0)) for start in sorted(above)}
    return Settled(Cut(aim.bin, last), taken, tokens + int(within["tokens"].sum()))


def _last(within: pd.DataFrame) -> tuple[float, str, int]:
    row = within.iloc[-1]
    return float(row["score"]), str(row["id"]), int(row["row"])
