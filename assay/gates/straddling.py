"""Test documents whose text is also in the parts that fitted the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters, text_digest

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Straddling:
    """Test documents that are also in train or calibration, found by their texts and not by the split's clusters."""

    test: int
    """Number of test documents."""
    exact: list[str]
    """Ids of test documents whose normalised text is in train or calibration."""
    near: list[str]
    """Ids of `exact`, and of test documents in a cluster of near-duplicates with one of train or calibration."""
    clusters: IntArray
    """Cluster of near-duplicates of every document, shape (n,)."""

    @property
    def share(self) -> float:
        """Share of the test documents that are in `near`."""
        return len(self.near) / self.test if self.test else 0.0


def find_straddling(
    ids: Sequence[str], texts: Sequence[str], parts: Sequence[str], *, progress: bool = False
) -> Straddling:
    """Compare the texts of the test part with those of train and calibration. Other parts are ignored.

    `ids`, `texts` and `parts` describe the same n documents, in the same order.
    """
    part = np.asarray(parts)
    test, fitted = part == "test", np.isin(part, ["train", "calibration"])
    # Documents of other parts keep a cluster of their own: they fitted nothing, so they cannot leak.
    clusters = len(part) + np.arange(len(part))
    placed = test | fitted
    clusters[placed] = near_duplicate_clusters(
        [text for text, is_placed in zip(texts, placed, strict=True) if is_placed], progress=progress
    )
    digests = pd.Series([text_digest(text) for text in texts])
    exact = test & digests.isin(digests[fitted]).to_numpy()
    near = exact | (test & np.isin(clusters, clusters[fitted]))
    names = np.asarray(ids, dtype=object)
    return Straddling(int(test.sum()), names[exact].tolist(), names[near].tolist(), clusters)
