"""Near-duplicates of texts that are gone are found by their signatures, and as the search among texts finds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.dedup import near_any, near_duplicate_clusters, signatures


def words(seed: int, count: int = 120) -> list[str]:
    return [f"w{number}" for number in np.random.default_rng(seed).integers(0, 50_000, count)]


def changed(seed: int, places: int) -> str:
    """The text of `words(seed)` with some words replaced."""
    text = words(seed)
    for place in np.random.default_rng(seed + 1_000_000).choice(len(text), places, replace=False):
        text[place] = f"new{place}"
    return " ".join(text)


def test_copies_and_near_copies_are_found_and_others_are_not() -> None:
    known = signatures([" ".join(words(seed)) for seed in range(300)])
    near = signatures([changed(seed, 2) for seed in range(100)])  # similarity above 0.8
    others = signatures([" ".join(words(seed)) for seed in range(300, 500)])

    assert near_any(known[:20], known).all()
    assert near_any(near, known).all()
    assert not near_any(others, known).any()
    assert not near_any(near, known[100:]).any()
    assert near_any(near, known[:0]).tolist() == [False] * 100
    assert near_any(near[:0], known).shape == (0,)


def test_what_the_search_among_texts_joins_is_found_by_signatures_too() -> None:
    texts = [" ".join(words(seed)) for seed in range(150)]
    others = [changed(seed, seed % 12) for seed in range(150)]  # from copies to similarity 0.4
    clusters = near_duplicate_clusters([*texts, *others], progress=False)
    joined = clusters[150:] == clusters[:150]

    found = near_any(signatures(others), signatures(texts))

    assert 50 < joined.sum() < 140
    assert found[joined].mean() >= 0.97


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=12), st.integers(0, 5))
def test_a_text_is_near_to_itself_in_any_company(texts: list[str], at: int) -> None:
    bits = signatures(texts)
    assert bits.shape == (len(texts), 128)
    assert bits.dtype == np.uint8
    assert near_any(bits[at % len(texts)][None], bits).tolist() == [True]


def test_a_bucket_of_many_known_copies_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.dedup.signature_search.PAIRS_AT_ONCE", 7)
    known = np.repeat(signatures([" ".join(words(1))]), 50, axis=0)

    assert near_any(signatures([changed(1, 1), " ".join(words(2))]), known).tolist() == [True, False]
