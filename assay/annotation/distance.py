"""How far documents are from the labelled ones, by their words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2_000
"""Documents that are compared at once."""
WORDS = 100_000
"""Columns at most."""


def distance_from(texts: Sequence[str], labelled: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 - the largest cosine similarity of each of n texts to a labelled one, 0 to 1, shape (n,).

    By TF-IDF of their words. Ones if nothing is labelled. Every text is compared with every labelled one.
    """
    if not labelled or not texts:
        return np.ones(len(texts))
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Also words of one character: a text of nothing else would have no word at all.
    words = TfidfVectorizer(sublinear_tf=True, max_features=WORDS, token_pattern=r"(?u)\w+|[^\w\s]")
    candidates = words.fit_transform(texts)
    known = words.transform(labelled).T.tocsr()
    nearest = [
        (candidates[start : start + AT_ONCE] @ known).max(axis=1).toarray()[:, 0]
        for start in range(0, len(texts), AT_ONCE)
    ]
    return np.asarray(np.clip(1 - np.concatenate(nearest), 0, 1), float)
