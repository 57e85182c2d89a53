"""Split sets of labels by several rubrics together: no text trains in one set and measures in another."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters, text_digest
from assay.labels.known import NONE_KNOWN, DocumentMarks, KnownDocuments
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
    """A labelled set with the parts of its documents."""

    assignment: pd.DataFrame
    """SplitAssignment."""


def split_together(
    sets: Sequence[LabelledSet],
    *,
    ledger: Ledger | None,
    config: SplitConfig,
    learned: Collection[str] = (),
    marks: KnownDocuments = NONE_KNOWN,
    progress: bool = False,
) -> list[PreparedSplit]:
    """Return a split for each set, in their order.

    Near-duplicates and groups are found over all sets. A document follows documents of its unit that have a part
    already, in the ledger or in an earlier set. So a text that is in several sets has the same part in all of them, and
    each set is as balanced as the earlier sets permit. If entries of the ledger contradict each other, documents that
    would train one rubric and measure another are set aside; the ledger keeps them. A single set is split as by
    `split_documents`. `learned`: digests of labelled texts that the encoder was trained on. They go to train with all
    of their unit; if the ledger has them in another part, they are set aside. `marks`: those of the same texts, by
    which their near-duplicates and groups do so, too. Raise InputError as `split_documents`.
    """
    if len(sets) == 1 and not learned and not len(marks):
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
    """Shape (sets, units, parts): True if a document of the unit, in that set, has that part."""
    known = ledger.read() if ledger else {}
    for number, (each, units) in enumerate(zip(sets, units_of, strict=True)):
        _mark(parts[number], units, each.documents["id"].map(known))
    fitted = np.zeros((len(texts), len(PARTS)), bool)
    """Shape (units, parts): True if the encoder was trained on a text of the unit, in train only."""
    if learned:
        digests = frozenset(learned)
        fitted[np.concatenate(units_of)[[text_digest(text) in digests for text in texts]], TRAIN] = True
    if len(marks):
        found = DocumentMarks.of(texts, groups, progress=progress)
        fitted[np.concatenate(units_of)[marks.near(found) | marks.share_group(found)], TRAIN] = True
    divided = []
    # One set after the other: each sees the parts that the earlier ones have assigned to shared units.
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
    # Documents are set aside after all sets are split, because a later set can still contradict an earlier one.
    return [
        _without_learned(_without(made, units, _of_others(parts, number)), fitted[units, TRAIN])
        for number, (made, units) in enumerate(zip(divided, units_of, strict=True))
    ]


def _mark(parts: NDArray[np.bool_], units: NDArray[np.int64], names: pd.Series) -> None:
    """Mark the parts of documents. Names that are no part are ignored."""
    for code, part in enumerate(PARTS):
        parts[units[(names == part).to_numpy()], code] = True


def _of_others(parts: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """Return the parts of units in all sets but one, shape (units, parts)."""
    return np.asarray(np.delete(parts, number, axis=0).any(axis=0))


def _without_learned(made: PreparedSplit, learned: NDArray[np.bool_]) -> PreparedSplit:
    """Set aside documents that would calibrate or measure on texts that the encoder was trained on."""
    out = learned & made.assignment["part"].isin(["calibration", "test"]).to_numpy()
    reason = "the encoder has learned from it, from a near-duplicate or from a document of its group"
    return _set_aside(made, out, reason)


def _set_aside(made: PreparedSplit, out: NDArray[np.bool_], reason: str) -> PreparedSplit:
    """Return the split with the documents `out`, of shape (n,), set aside."""
    if not out.any():
        return made
    assignment = made.assignment.copy()
    assignment.loc[out, "part"] = SET_ASIDE
    added = pd.DataFrame({"id": assignment.loc[out, "id"], "reason": reason})
    return replace(made, assignment=assignment, set_aside=pd.concat([made.set_aside, added], ignore_index=True))


def _without(made: PreparedSplit, units: NDArray[np.int64], others: NDArray[np.bool_]) -> PreparedSplit:
    """Set aside training documents whose unit calibrates or measures another rubric."""
    measuring = np.delete(others, TRAIN, axis=1)[units].any(axis=1)
    out = np.asarray(measuring) & (made.assignment["part"] == "train").to_numpy()
    reason = "the ledger has it in train, and its near-duplicate or group in calibration or test of another rubric"
    return _set_aside(made, out, reason)
