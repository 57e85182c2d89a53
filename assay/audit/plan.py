"""The plan of an audit: strata of a corpus by selection and score, and how many documents each gives to the sample."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.storage import only_known_fields, parse_json, staged_file

PLAN = "audit-plan.json"
STRATA = 5
"""Strata of the selection, and of what was left out, at most."""
LEAST_OF_A_STRATUM = 5
"""Documents that each stratum gives to the sample at least, if it has as many."""


@only_known_fields
@dataclass(frozen=True)
class Stratum:
    """Documents between two scores that were selected, or left out."""

    selected: bool
    low: float
    """Lowest score, which is in the stratum."""
    high: float
    """Score before which it ends."""
    documents: int
    """Documents of the corpus in it."""
    sample: int
    """Documents of the sample."""


@only_known_fields
@dataclass(frozen=True)
class AuditPlan:
    """Everything that the figures of an audit depend on besides the labels."""

    selection: str
    """Version of the selection."""
    corpus: str
    """Version of the corpus."""
    model: str
    """Digest of the model."""
    threshold: float
    """Label from which a document is good."""
    target: str
    """Target that the selection was cut for, as KeepTarget spells it, such as `precision=0.8`. Empty: none."""
    seed: int
    strata: tuple[Stratum, ...]
    ids: dict[str, int]
    """Id of each document of the sample -> number of its stratum."""
    excluded: int = 0
    """Documents in scope that are near-duplicates of selected ones: they are in no stratum."""

    def write(self, folder: Path) -> None:
        """Write the plan into a folder."""
        with staged_file(folder / PLAN) as file:
            file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "AuditPlan":
        """Read the plan of a folder. Raise InputError if there is none, or if it is damaged."""
        where, fix = str(folder), "Name the folder that `assay audit` wrote"
        try:
            content = (folder / PLAN).read_bytes()
        except OSError as error:
            raise InputError(f"no audit: {PLAN} is missing", where=where, fix=fix) from error
        return parse_json(cls, content, what=PLAN, where=where, fix=fix)


@dataclass(frozen=True)
class Side:
    """Documents of one side, selected or left out, by bins of their scores: arrays of shape (n,), scores rising."""

    low: NDArray[np.float64]
    """Lower edge of each bin."""
    documents: NDArray[np.int64]
    likely: NDArray[np.float64]
    """Sum of p_keep of the documents in each bin."""


def strata_of(side: Side, *, selected: bool, sample: int) -> list[Stratum]:
    """Cut one side into strata of scores, and deal `sample` documents out to them.

    The strata have about equal sums of the standard deviation that p_keep expects (Dalenius and Hodges' rule in the
    form of equal N S, Cochran, "Sampling Techniques", 1977, 5A.7), and about equal samples (Neyman allocation). A wrong
    p_keep makes the intervals wider, never wrong.
    """
    total = int(side.documents.sum())
    if total == 0:
        return []
    share = np.clip(side.likely / np.maximum(side.documents, 1), 1e-3, 1 - 1e-3)
    spread = side.documents * np.sqrt(share * (1 - share))
    reached = np.cumsum(spread) / spread.sum()
    number = min(STRATA, max(sample // (2 * LEAST_OF_A_STRATUM), 1), len(side.low))
    ends = np.unique(np.searchsorted(reached, np.arange(1, number + 1) / number - 1e-12) + 1)
    ends[-1] = len(side.low)
    starts = np.concatenate([[0], ends[:-1]])
    counts = [int(side.documents[a:b].sum()) for a, b in zip(starts, ends, strict=True)]
    dealt = _deal(counts, [float(spread[a:b].sum()) for a, b in zip(starts, ends, strict=True)], sample)
    edges = [-math.inf, *(float(side.low[end]) for end in ends[:-1]), math.inf]
    # JSON has no infinity.
    edges[0], edges[-1] = -float(np.finfo(float).max), float(np.finfo(float).max)
    return [
        Stratum(selected, edges[place], edges[place + 1], count, give)
        for place, (count, give) in enumerate(zip(counts, dealt, strict=True))
    ]


def _deal(counts: list[int], weights: list[float], sample: int) -> list[int]:
    """Deal a sample out by weights; no stratum gives more than it has, or fewer than five if it has them."""
    sample = min(sample, sum(counts))
    given = [min(count, LEAST_OF_A_STRATUM) for count in counts]
    while sum(given) < sample:
        open_ = [place for place, count in enumerate(counts) if given[place] < count]
        # One at a time to the stratum that is farthest behind: a sample has hundreds of documents, not millions.
        place = min(open_, key=lambda p: (given[p] + 1) / max(weights[p], 1e-12))
        given[place] += 1
    return given


def plain(plan: AuditPlan) -> dict[str, Any]:
    """Return the plan as plain JSON values, without the ids."""
    fields = asdict(plan)
    del fields["ids"]
    return fields
