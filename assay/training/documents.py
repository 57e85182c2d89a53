"""The documents that a model learns from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.dedup import text_digest
from assay.labels import SplitSet, fitting_part


class LabelledTexts(NamedTuple):
    """n texts with their labels by each rubric."""

    texts: list[str]
    labels: NDArray[np.float64]
    """Shape (n, rubrics); NaN for a missing label."""
    weights: NDArray[np.float64]
    """Shape (n, rubrics)."""

    def rows(self, rows: NDArray[np.int64]) -> "LabelledTexts":
        """Return some of the texts, in the order of `rows`."""
        return LabelledTexts([self.texts[row] for row in rows], self.labels[rows], self.weights[rows])


def training_documents(
    sets: Sequence[SplitSet], *, cross_fitted: bool = False, refitted: bool = False
) -> LabelledTexts:
    """Return the texts of `fitting_part`, with labels and weights by the rubrics of the sets.

    A set without the text has label NaN and weight 1. Texts are in the order of the sets and, within a set, of its
    source. Texts that are equal after normalisation are one document.
    """
    texts: dict[str, str] = {}
    columns: list[dict[str, tuple[float, float]]] = []
    for each in sets:
        part = fitting_part(each.documents, each.assignment, cross_fitted=cross_fitted, refitted=refitted)
        found = each.snapshot.take(part["row"])
        digests = [text_digest(text) for text in found]
        columns.append(dict(zip(digests, zip(part["label"], part["weight"], strict=True), strict=True)))
        for digest, text in zip(digests, found, strict=True):
            texts.setdefault(digest, text)
    cells = [[column.get(digest, (np.nan, 1.0)) for column in columns] for digest in texts]
    both = np.array(cells, dtype=float).reshape(-1, len(sets), 2)
    return LabelledTexts(list(texts.values()), both[:, :, 0], both[:, :, 1])
