"""Cross-fitting: whole clusters, even levels, each document held out once, and refusal of too few clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.labels import assign_folds


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), min_size=40, max_size=120),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_clusters_stay_whole_and_the_same_seed_gives_the_same_folds(
    rows: list[tuple[int, int]], folds: int, seed: int
) -> None:
    labels, clusters = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    sides = [len(np.unique(clusters[(labels >= 3) == side])) for side in (True, False)]
    if min(sides) < folds:
        with pytest.raises(InputError, match="folds, but"):
            assign_folds(labels, clusters, 3, folds, seed)
        return

    fold = assign_folds(labels, clusters, 3, folds, seed)

    assert set(fold) <= set(range(folds))
    for cluster in np.unique(clusters):
        assert len(set(fold[clusters == cluster])) == 1
    held = [len(np.unique(clusters[fold == number])) for number in range(folds)]
    assert max(held) - min(held) <= 1
    assert (fold == assign_folds(labels, clusters, 3, folds, seed)).all()


def test_every_fold_has_about_the_same_labels() -> None:
    generator = np.random.default_rng(0)
    labels = generator.choice(6, 1000, p=[0.12, 0.58, 0.2, 0.06, 0.03, 0.01]).astype(float)

    fold = assign_folds(labels, np.arange(1000), 3, 5, seed=0)

    for level in range(6):
        counts = [int((labels[fold == number] == level).sum()) for number in range(5)]
        assert max(counts) - min(counts) <= 3
