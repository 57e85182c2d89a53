"""Sets of labels by several rubrics, split so that no text is learned from in one that measures in another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.labels.ledger import PARTS, SET_ASIDE, Ledger
from assay.labels.prepare import PreparedSplit, split_documents
from assay.labels.split import SplitConfig, join_units
from assay.rubric import Rubric
from assay.storage import Snapshot

TRAIN = PARTS.index("train")


@dataclass(frozen=True)
class LabelledSet:
    """Documents with labels by one rubric."""

    rubric: Rubric
    snapshot: Snapshot
    documents: pd.DataFrame
    """LabelledDocument."""


@dataclass(frozen=True)
class SplitSet(LabelledSet):
    """The same, with their parts."""

    assignment: pd.DataFrame
    """SplitAssignment."""


def split_together(
    sets: Sequence[LabelledSet], *, ledger: Ledger | None, config: SplitConfig, progress: bool = False
) -> list[PreparedSplit]:
    """A split for each set, in their order.

    Near-duplicates and groups are found over all sets at once, and a document follows those of its unit that have a
    part already: in the ledger, or in an earlier set. So a text that is in several sets has one part in all of them,
    and each set is as well balanced as the earlier ones leave it. Where ledger entries contradict each other, what
    would train one rubric and measure another is set aside; the ledger keeps it. One set alone is split as
    `split_documents` does. Raises InputError as that does.
    """
    if len(sets) == 1:
        (only,) = sets
        return [
            split_documents(only.snapshot, only.documents, only.rubric, ledger=ledger, config=config, progress=progress)
        ]
    sizes = [len(each.documents) for each in sets]
    texts = [text for each in sets for text in each.snapshot.take(each.documents["row"])]
    clusters = near_duplicate_clusters(texts, progress=progress)
    groups = pd.concat([each.documents["group"].astype(object) for each in sets]).tolist()
    ends = np.cumsum(sizes)[:-1]
    clusters_of = np.split(clusters, ends)
    units_of = np.split(join_units(clusters, groups), ends)

    parts = np.zeros((len(sets), len(texts), len(PARTS)), bool)
    """Set, unit, part: whether a document of the unit is known to be there."""
    known = ledger.read() if ledger else {}
    for number, (each, units) in enumerate(zip(sets, units_of, strict=True)):
        _mark(parts[number], units, each.documents["id"].map(known))
    divided = []
    for number, (each, units) in enumerate(zip(sets, units_of, strict=True)):
        others = _of_others(parts, number)
        made = split_documents(
            each.snapshot,
            each.documents,
            each.rubric,
            ledger=ledger,
            config=config,
            clusters=clusters_of[number],
            elsewhere=others[units],
        )
        _mark(parts[number], units, made.assignment["part"])
        divided.append(made)
    return [
        _without(made, units, _of_others(parts, number))
        for number, (made, units) in enumerate(zip(divided, units_of, strict=True))
    ]


def _mark(parts: NDArray[np.bool_], units: NDArray[np.int64], names: pd.Series) -> None:
    """Note the parts of documents; names that are none are passed over."""
    for code, part in enumerate(PARTS):
        parts[units[(names == part).to_numpy()], code] = True


def _of_others(parts: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """The parts of units, shape (units, parts), as all sets but one have them."""
    return np.asarray(np.delete(parts, number, axis=0).any(axis=0))


def _without(made: PreparedSplit, units: NDArray[np.int64], others: NDArray[np.bool_]) -> PreparedSplit:
    """The split with training documents set aside that calibrate or measure another rubric."""
    measuring = np.delete(others, TRAIN, axis=1)[units].any(axis=1)
    out = np.asarray(measuring) & (made.assignment["part"] == "train").to_numpy()
    if not out.any():
        return made
    assignment = made.assignment.copy()
    assignment.loc[out, "part"] = SET_ASIDE
    reason = "the ledger has it in train, and the like of it in calibration or test of another rubric"
    added = pd.DataFrame({"id": assignment.loc[out, "id"], "reason": reason})
    return replace(made, assignment=assignment, set_aside=pd.concat([made.set_aside, added], ignore_index=True))
