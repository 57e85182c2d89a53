"""Sets of labels by several rubrics, split so that no text is learned from in one that measures in another."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters, text_digest
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
    sets: Sequence[LabelledSet],
    *,
    ledger: Ledger | None,
    config: SplitConfig,
    learned: Collection[str] = (),
    progress: bool = False,
) -> list[PreparedSplit]:
    """A split for each set, in their order.

    Near-duplicates and groups are found over all sets at once, and a document follows those of its unit that have a
    part already: in the ledger, or in an earlier set. So a text that is in several sets has one part in all of them,
    and each set is as well balanced as the earlier ones leave it. Where ledger entries contradict each other, what
    would train one rubric and measure another is set aside; the ledger keeps it. One set alone is split as
    `split_documents` does. `learned`: digests of texts that the encoder has learned labels of; they go to train with
    all of their unit, and where the ledger has them elsewhere, are set aside. Raises InputError as `split_documents`.
    """
    if len(sets) == 1 and not learned:
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
    fitted = np.zeros((len(texts), len(PARTS)), bool)
    """Unit, part: as `parts`, of what the encoder has learned."""
    if learned:
        digests = frozenset(learned)
        fitted[np.concatenate(units_of)[[text_digest(text) in digests for text in texts]], TRAIN] = True
    divided = []
    for number, (each, units) in enumerate(zip(sets, units_of, strict=True)):
        others = _of_others(parts, number) | fitted
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
        _without_learned(_without(made, units, _of_others(parts, number)), fitted[units, TRAIN])
        for number, (made, units) in enumerate(zip(divided, units_of, strict=True))
    ]


def _mark(parts: NDArray[np.bool_], units: NDArray[np.int64], names: pd.Series) -> None:
    """Note the parts of documents; names that are none are passed over."""
    for code, part in enumerate(PARTS):
        parts[units[(names == part).to_numpy()], code] = True


def _of_others(parts: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """The parts of units, shape (units, parts), as all sets but one have them."""
    return np.asarray(np.delete(parts, number, axis=0).any(axis=0))


def _without_learned(made: PreparedSplit, learned: NDArray[np.bool_]) -> PreparedSplit:
    """The split with documents set aside that would measure or calibrate what the encoder has learned."""
    out = learned & made.assignment["part"].isin(["calibration", "test"]).to_numpy()
    return _set_aside(made, out, "the encoder that training goes on from has learned from it or the like of it")


def _set_aside(made: PreparedSplit, out: NDArray[np.bool_], reason: str) -> PreparedSplit:
    if not out.any():
        return made
    assignment = made.assignment.copy()
    assignment.loc[out, "part"] = SET_ASIDE
    added = pd.DataFrame({"id": assignment.loc[out, "id"], "reason": reason})
    return replace(made, assignment=assignment, set_aside=pd.concat([made.set_aside, added], ignore_index=True))


def _without(made: PreparedSplit, units: NDArray[np.int64], others: NDArray[np.bool_]) -> PreparedSplit:
    """The split with training documents set aside that calibrate or measure another rubric."""
    measuring = np.delete(others, TRAIN, axis=1)[units].any(axis=1)
    out = np.asarray(measuring) & (made.assignment["part"] == "train").to_numpy()
    return _set_aside(
        made, out, "the ledger has it in train, and the like of it in calibration or test of another rubric"
    )
