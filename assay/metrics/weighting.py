"""Weights of documents that were drawn with unequal probabilities: figures of the sample then hold for the corpus."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError

INCLUSION = "inclusion"
"""Column of the probability with which a document was drawn to be labelled."""


def corpus_weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return how many documents of the corpus each row stands for, relative to their mean, shape (n,).

    1 / inclusion (Horvitz and Thompson 1952), divided by its mean: figures that are ratios, as all metrics are, do not
    change, and are Hájek's ("Comment on a paper by D. Basu", 1971). Ones without the column. Raise InputError for a
    value that is no probability above 0.
    """
    if INCLUSION not in table:
        return np.ones(len(table))
    inclusion = pd.to_numeric(table[INCLUSION], errors="coerce").to_numpy(float)
    wrong = ~((inclusion > 0) & (inclusion <= 1))
    if wrong.any():
        raise InputError(
            f"{table[INCLUSION].iloc[int(wrong.argmax())]!r} is no probability above 0",
            where=f"column {INCLUSION!r}",
            fix="Keep the column as `assay draw` wrote it, or rename it if it means something else",
        )
    weight = 1 / inclusion
    return weight / weight.mean() if len(weight) else weight
