"""Plan the updates: their documents, weights and learning rates, independent of the number of processes."""

from collections.abc import Sequence

import numpy as np

from assay.training.config import TrainConfig


def steps_per_epoch(documents: int, batch: int) -> int:
    """Return the updates of one pass. The last one may have fewer documents."""
    return -(-documents // batch)


def updates_of(documents: int, batch: int, epochs: int, least: int) -> int:
    """Return the updates of a run: `epochs` whole passes, or as many whole passes as `least` updates need."""
    steps = steps_per_epoch(documents, batch)
    return steps * max(epochs, -(-least // steps))


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return the learning rate of update `step` of `steps`: linear warmup, then linear decay to 0."""
    warmup = max(1, round(config.warmup * steps))
    return config.learning_rate * min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def batch_of(step: int, documents: int, batch: int, seed: int) -> np.ndarray:
    """Return the indices of the documents of update `step`, which is counted from 0 over all epochs.

    Every epoch is a new permutation. It depends on the seed and the epoch alone, so that a resumed run needs no random
    state.
    """
    steps = steps_per_epoch(documents, batch)
    epoch, at = divmod(step, steps)
    order = np.random.default_rng([seed, epoch]).permutation(documents)
    return order[at * batch : (at + 1) * batch]


def share_of(rank: int, processes: int, indices: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Return the documents of a batch for one process. All processes get about the same lengths, to finish together."""
    by_length = indices[np.argsort([-lengths[i] for i in indices], kind="stable")]
    return by_length[rank::processes]


def joint_weights(label_DR: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the weights of documents for each rubric, shape (documents, rubrics): those given, or 1.

    The weight of a missing label (NaN) is 0.
    """
    given_DR = np.ones(label_DR.shape) if weights is None else np.asarray(weights, dtype=float).reshape(label_DR.shape)
    return np.where(np.isnan(label_DR), 0.0, given_DR)
