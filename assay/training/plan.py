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


def level_weights(labels: np.ndarray, balance: float) -> np.ndarray:
    """Weight of each document, shape (n,), mean 1: inverse frequency of its label to the power `balance`."""
    _, level, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = (1.0 / counts[level]) ** balance
    return weights / weights.mean()


def joint_weights(label_DR: np.ndarray, balance: float) -> np.ndarray:
    """Weights of documents for each rubric, shape (documents, rubrics): of mean 1 over those that have its label, 0 for
    those that lack it (NaN)."""
    weight_DR = np.zeros(label_DR.shape)
    for column, label_D in enumerate(label_DR.T):
        has = ~np.isnan(label_D)
        weight_DR[has, column] = level_weights(label_D[has], balance)
    return weight_DR
