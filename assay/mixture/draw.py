"""Draw the documents of a unit that are in the mixture more often than its others.

Each document has a key. Those with the lowest keys are drawn, as many as their tokens allow. Within a cell the key is a
seeded hash of the id, so that each document has the same chance; for a step it is the quality, the best first. What is
drawn depends on the documents alone, not on their order or on the parts that hold them. No unit holds its documents:
their tokens are counted in bins of the key, and only those of the bin with the cut are compared one by one.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.mixture.bins import QualityBins
from assay.mixture.cells import Recipe
from assay.mixture.reading import Block
from assay.mixture.request import MixtureRequest
from assay.mixture.state import Cut
from assay.scoring import BINS

HASH_BINS = 1 << 12
"""Bins of the key of a cell: 1 in 4,096 of its documents is compared by its key."""


def hashed(ids: NDArray[np.object_], seed: int, what: str = "draw") -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each id, shape (n,): the same for the same id, seed and purpose."""
    key = f"{what[:4]:4}{seed % 10**12:012d}"
    values = pd.util.hash_array(ids, hash_key=key, categorize=False)
    return (values >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def key_bins(request: MixtureRequest) -> int:
    """Return the number of bins of the keys."""
    return BINS if request.shape == "step" else HASH_BINS


def keys_of(block: Block, request: MixtureRequest) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the key of each document, and its bin, shape (n,) each. A lower key has no higher bin."""
    if request.shape == "step":
        return -block.quality, BINS - 1 - block.place
    key = hashed(block.id, request.seed)
    return key, (key * HASH_BINS).astype(np.int64)


def cells_of(block: Block, bins: QualityBins, recipe: Recipe) -> NDArray[np.int64]:
    """Return the number of the cell of each document, shape (n,)."""
    cells, first = np.zeros(len(block.id), np.int64), recipe.first
    for topic in set(block.topic.tolist()):
        here = block.topic == topic
        cells[here] = first[topic] + np.searchsorted(bins.edges_of(topic), block.place[here], side="right")
    return cells


def first_cuts(tokens: NDArray[np.int64], recipe: Recipe) -> tuple[tuple[int, int], ...]:
    """Return for each unit the bin of keys with the cut, and the tokens before it.

    `tokens`: those of each unit and bin, shape (units, bins). If all documents are drawn, it is the number of bins.
    """
    found = []
    for unit, counted in zip(recipe.units, tokens, strict=True):
        total = np.cumsum(counted)
        at = int(np.searchsorted(total, unit.more, side="right"))
        found.append((at, int(total[at - 1]) if at else 0))
    return tuple(found)


def last_cuts(near: pd.DataFrame, first: Sequence[tuple[int, int]], recipe: Recipe) -> tuple[Cut, ...]:
    """Return the cut of each unit. `near`: `unit`, `key`, `id`, `row` and `tokens` of the documents in its bin."""
    grouped = dict(list(near.groupby("unit")))
    found = []
    for number, (unit, (at, before)) in enumerate(zip(recipe.units, first, strict=True)):
        cut = Cut(at)
        if number in grouped:
            ordered = grouped[number].sort_values(["key", "id", "row"])
            drawn = ordered[before + ordered["tokens"].cumsum() <= unit.more]
            if len(drawn):
                last = drawn.iloc[-1]
                cut = Cut(at, float(last["key"]), str(last["id"]), int(last["row"]))
        found.append(cut)
    return tuple(found)


def repeats_of(
    block: Block, cells: NDArray[np.int64], recipe: Recipe, cuts: Sequence[Cut], request: MixtureRequest
) -> NDArray[np.int64]:
    """Return the times that each document is in the mixture, shape (n,)."""
    key, place = keys_of(block, request)
    unit = np.array(recipe.unit_of, np.int64)[cells]
    drawn = place < np.array([cut.bin for cut in cuts], np.int64)[unit]
    for at in np.flatnonzero(place == np.array([cut.bin for cut in cuts], np.int64)[unit]).tolist():
        cut = cuts[unit[at]]
        drawn[at] = cut.key is not None and (key[at], block.id[at], block.row[at]) <= (cut.key, cut.id, cut.row)
    least, most = (np.array([getattr(each, end) for each in recipe.units], np.int64) for end in ("least", "most"))
    return np.where(drawn, most[unit], least[unit])
