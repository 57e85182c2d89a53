"""Learn how much each of several scores counts, on labelled documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from assay.errors import InputError

LEAST = 100
"""Labelled documents below which no weights are learned."""
RIDGE = 1e-3
"""Penalty on the squared weights, for each document. Chosen, not measured: it only settles scores that agree."""
FOLDS = 5
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """Weights, and how well the joined rank orders documents that did not take part in them."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    documents: int
    together: float
    """Spearman correlation with the labels of the joined rank, each fold by the weights of the others."""
    alone: tuple[float, ...]
    """The same of each score alone, which learns nothing."""

    def sentence(self) -> str:
        """Return the result as a sentence."""
        parts = [
            f"{name} {weight:.2f} (alone {rank:.3f})"
            for name, weight, rank in zip(self.names, self.weights, self.alone, strict=True)
        ]
        return (
            f"Weights learned on {self.documents:,} labelled documents: {', '.join(parts)}. Spearman correlation with "
            f"the labels, joined: {self.together:.3f} by {FOLDS} folds."
        )


def learn_weights(ranks: FloatArray, labels: FloatArray, names: Sequence[str], where: str) -> Learned:
    """Return weights of 0 or more whose mean of ranks fits the labels best, by ridge regression with a free offset.

    `ranks`: token-weighted rank of n documents by k scores, shape (n, k). No weight is negative, so that a higher score
    never lowers the quality. Raise InputError with fewer than LEAST documents, or if no score rises with the labels.
    """
    if len(labels) < LEAST:
        raise InputError(
            f"{len(labels)} documents of the corpus have a label and all scores", where=where, fix=f"Give {LEAST}"
        )
    weights = _fit(ranks, labels)
    if not weights.sum() > 0:
        raise InputError("no score rises with the labels", where=where, fix="Check the labels, or give --weights")
    out = np.zeros(len(labels))
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    for number in range(FOLDS):
        out[fold == number] = ranks[fold == number] @ _fit(ranks[fold != number], labels[fold != number])
    alone = tuple(float(spearmanr(ranks[:, at], labels).statistic) for at in range(ranks.shape[1]))
    share = tuple(float(weight) for weight in weights / weights.sum())
    return Learned(tuple(names), share, len(labels), float(spearmanr(out, labels).statistic), alone)


def _fit(ranks: FloatArray, labels: FloatArray) -> FloatArray:
    centred, aim = ranks - ranks.mean(axis=0), labels - labels.mean()
    penalty = np.sqrt(RIDGE * len(labels)) * np.eye(ranks.shape[1])
    return np.asarray(nnls(np.vstack([centred, penalty]), np.concatenate([aim, np.zeros(ranks.shape[1])]))[0])
