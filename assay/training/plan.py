"""Which documents each update learns from, with which weights: the same whatever the number of processes."""

from collections.abc import Sequence

import numpy as np


def steps_per_epoch(documents: int, batch: int) -> int:
    """Updates of one pass; the last may learn from fewer documents."""
    return -(-documents // batch)


def updates_of(documents: int, batch: int, epochs: int, least: int) -> int:
    """Updates of a run: whole passes, `epochs` of them, and as many more as `least` updates take."""
    steps = steps_per_epoch(documents, batch)
    return steps * max(epochs, -(-least // steps))


def batch_of(step: int, documents: int, batch: int, seed: int) -> np.ndarray:
    """Indices that update `step` (counted from 0 over all epochs) learns from.

    Every epoch is a fresh permutation, made from the seed and the epoch alone, so that a resumed run needs no
    state to go on where it was.
    """
    steps = steps_per_epoch(documents, batch)
    epoch, at = divmod(step, steps)
    order = np.random.default_rng([seed, epoch]).permutation(documents)
    return order[at * batch : (at + 1) * batch]


def share_of(rank: int, processes: int, indices: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """The part of a batch that one process takes: dealt out by length, so that all finish at about the same time."""
    by_length = indices[np.argsort([-lengths[i] for i in indices], kind="stable")]
    return by_length[rank::processes]


def joint_weights(label_DR: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weights of documents for each rubric, shape (documents, rubrics): those given, or 1; 0 where a document lacks the
    rubric's label (NaN)."""
    given_DR = np.ones(label_DR.shape) if weights is None else np.asarray(weights, dtype=float).reshape(label_DR.shape)
    return np.where(np.isnan(label_DR), 0.0, given_DR)
