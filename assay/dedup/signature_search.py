"""Compare texts with the signatures of texts that are gone: those that a model has learned from, or a ledger knows.

Kept of each text are the lowest bytes of its MinHash signature: 128 bytes, from which the text cannot be restored.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.dedup.config import DEFAULT, DedupConfig
from assay.dedup.signatures import Signer, band_keys, similarity
from assay.progress import bar

PAIRS_AT_ONCE = 100_000
"""Pairs that are compared at once: 128 bytes for each document of a pair."""
CAUTION = 2.0
"""Standard errors below the threshold from which a text counts as a near-duplicate."""


def signatures(texts: Sequence[str], config: DedupConfig = DEFAULT, *, progress: bool = False) -> NDArray[np.uint8]:
    """Return the lowest byte of each hash of the signatures, shape (n, permutations). Takes 1 ms for a web document."""
    signer = Signer(config)
    found = np.empty((len(texts), config.permutations), np.uint8)
    rows = range(len(texts))
    for row in bar(rows, unit="doc", what="signatures") if progress else rows:
        found[row] = signer.sign(texts[row]) & 0xFF
    return found


def near_any(bits: NDArray[np.uint8], known: NDArray[np.uint8], config: DedupConfig = DEFAULT) -> NDArray[np.bool_]:
    """Return True for each of n texts that is a near-duplicate of any of m known ones, shape (n,).

    `bits` and `known`: `signatures`, shapes (n, permutations) and (m, permutations). The bands are those of
    `near_duplicate_clusters`, made of the lowest bytes of the hashes. The texts of the known documents are gone, so the
    estimate of the similarity decides. It counts from two standard errors below the threshold (0.62 for 0.7): a pair at
    the threshold is found in 97 of 100 cases, and some pairs below it are found, too. To leave out a document too many
    costs less than to measure on one that was learned from.
    """
    found = np.zeros(len(bits), bool)
    if not len(bits) or not len(known):
        return found
    error = (config.threshold * (1 - config.threshold) / config.permutations) ** 0.5
    least = config.threshold - CAUTION * error
    mine, theirs = (band_keys(each.astype(np.uint32), config.band_rows) for each in (bits, known))
    for band in range(mine.shape[1]):
        order = np.argsort(theirs[:, band], kind="stable")
        keys = theirs[order, band]
        open_rows = np.flatnonzero(~found)
        first, last = (np.searchsorted(keys, mine[open_rows, band], side=side) for side in ("left", "right"))
        shared = last > first
        for row, start, stop in zip(open_rows[shared], first[shared], last[shared], strict=True):
            for at in range(start, stop, PAIRS_AT_ONCE):
                near = known[order[at : min(at + PAIRS_AT_ONCE, stop)]]
                if (similarity(bits[row][None], near) >= least).any():
                    found[row] = True
                    break
    return found
