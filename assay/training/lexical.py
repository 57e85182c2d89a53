"""Fit a lexical model: ridge regression on TF-IDF of hashed words, solved in one step."""

import time
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from assay.errors import InputError
from assay.lexical import BITS, LexicalWeights, hash_texts, terms_of
from assay.model import LexicalModel, ModelInfo
from assay.training.fitted import Fitted, in_one_step

FloatArray = NDArray[np.float64]

ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Penalties, of which cross-validation chooses one: those of the baseline TF-IDF + ridge."""
FOLDS = 5
LEAST = 20
"""Least texts with a label: with fewer, folds of a few texts would choose the penalty."""
ONE_FOLD_FROM = 5_000
"""Texts from which one fold chooses the penalty: it has a thousand of them, and five would take five times as long."""


def fit_lexical(
    texts: Sequence[str], labels: FloatArray, info: ModelInfo, *, weights: FloatArray | None = None, seed: int = 0
) -> Fitted[LexicalModel]:
    """Fit the weights to labels of shape (n,), or (n, rubrics) with NaN for a missing label.

    `weights`, above 0, have the shape of the labels; without them all labels have the same weight. `seed` draws the
    folds. The same texts and labels give the same model in every process. Raise InputError for fewer than 20 labels by
    a rubric.
    """
    started, worked = time.monotonic(), time.process_time()
    label_DR = np.asarray(labels, float).reshape(len(texts), len(info.aspects))
    weight_DR = np.ones(label_DR.shape) if weights is None else np.asarray(weights, float).reshape(label_DR.shape)
    table, idf, words = _table(texts, info.windows.tokens)
    # Only columns that occur: the others keep the weight 0, and the solver would carry a million of them along.
    used = np.flatnonzero(idf)
    table = table[:, used]
    weight, intercept = np.zeros((len(info.aspects), 1 << BITS), np.float32), np.zeros(len(info.aspects))
    error = 0.0
    for number, aspect in enumerate(info.aspects):
        known = np.flatnonzero(np.isfinite(label_DR[:, number]))
        if len(known) < LEAST:
            raise InputError(
                f"{len(known)} labels to fit a lexical model to", where=aspect.rubric.name, fix=f"Give at least {LEAST}"
            )
        rows, label, counts = table[known], label_DR[known, number], weight_DR[known, number]
        if label.min() == label.max():
            raise InputError("cannot fit a lexical model to equal labels", where=f"rubric {aspect.rubric.name}")
        counts = counts / counts.mean()  # relative: the penalty is compared with their sum
        fitted = _ridge(_best_penalty(rows, label, counts, seed)).fit(rows, label, counts)
        weight[number, used], intercept[number] = fitted.coef_, fitted.intercept_
        error += float(np.average((fitted.predict(rows) - label) ** 2, weights=counts)) / len(info.aspects)
    record = in_one_step(error, float(words), started, worked)
    return Fitted(LexicalModel(LexicalWeights(idf, weight, intercept), info), [record])


def _table(texts: Sequence[str], words: int) -> tuple[sp.csr_matrix, NDArray[np.float32], int]:
    """Return the terms of all texts, shape (n, 2^BITS), the idf of the columns, and the number of words that were read.

    A column that fewer than two texts have tells nothing about others: its idf is 0.
    """
    found = list(hash_texts(texts, words))
    frequency = sum((np.bincount(part.column, minlength=1 << BITS) for _, part in found), np.zeros(1 << BITS, np.int64))
    # Smoothed as in scikit-learn: as if one more text had every column.
    idf = np.where(frequency >= 2, np.log((1 + len(texts)) / (1 + frequency)) + 1, 0).astype(np.float32)
    tables = [
        sp.csr_matrix((terms_of(part, idf), (part.text, part.column)), shape=(len(rows), 1 << BITS))
        for rows, part in found
    ]
    return sp.vstack(tables, format="csr"), idf, sum(int(part.read.sum()) for _, part in found)


def _ridge(penalty: float) -> Ridge:
    return Ridge(penalty, solver="sparse_cg")


def _best_penalty(rows: sp.csr_matrix, label: FloatArray, counts: FloatArray, seed: int) -> float:
    """Return the penalty with the least squared error on held-out texts."""
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed).split(label))
    errors = np.zeros(len(ALPHAS))
    for inside, outside in folds[: 1 if len(label) >= ONE_FOLD_FROM else FOLDS]:
        for number, penalty in enumerate(ALPHAS):
            fitted = _ridge(penalty).fit(rows[inside], label[inside], counts[inside])
            errors[number] += counts[outside] @ (fitted.predict(rows[outside]) - label[outside]) ** 2
    return ALPHAS[int(errors.argmin())]
