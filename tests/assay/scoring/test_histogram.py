"""Histograms: integers in fixed bins, the same for any parts of a corpus in any order."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.scoring.histogram import Bins, TokenHistogram

DOCUMENTS = st.lists(
    st.tuples(
        st.floats(-20, 20) | st.sampled_from([0.0, 1.0, 2.5]), st.integers(0, 10**12), st.sampled_from(["a", "b", "ü"])
    ),
    max_size=40,
)
BINS = Bins(-5, 10)


def of(rows: list[tuple[float, int, str]]) -> TokenHistogram:
    scores, tokens, slices = zip(*rows, strict=True) if rows else ((), (), ())
    return TokenHistogram.of(BINS, np.array(scores, float), np.array(tokens, np.int64), list(slices))


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_parts_in_any_order_give_one_histogram(
    rows: list[tuple[float, int, str]], random: "np.random.Generator", count: int
) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    parts = [of(shuffled[first::count]) for first in range(count)]
    random.shuffle(parts)

    merged = TokenHistogram.merge(parts)
    nested = TokenHistogram.merge([TokenHistogram.merge(parts[:2]), *parts[2:]])

    assert merged.to_json() == nested.to_json() == of(rows).to_json()
    assert TokenHistogram.from_json(json.loads(json.dumps(merged.to_json()))).to_json() == merged.to_json()
    assert merged.total().tokens.sum() == sum(tokens for _, tokens, _ in rows)
    assert merged.total().documents.sum() == len(rows)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS.filter(len), st.integers(1, 10**12), st.integers(1, 45))
def test_the_bin_of_a_budget_is_the_highest_that_fills_it(
    rows: list[tuple[float, int, str]], budget: int, documents: int
) -> None:
    histogram, place = of(rows), BINS.of(np.array([score for score, _, _ in rows]))
    tokens = np.array([count for _, count, _ in rows])

    by_tokens, by_documents = histogram.bin_of_budget(budget), histogram.bin_of_documents(documents)

    enough = [b for b in sorted(set(place.tolist())) if tokens[place >= b].sum() >= budget]
    assert by_tokens == (max(enough) if enough else None)
    many = [b for b in sorted(set(place.tolist())) if (place >= b).sum() >= documents]
    assert by_documents == (max(many) if many else None)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=30))
def test_bins_keep_the_order_of_the_scores(scores: list[float]) -> None:
    ordered = np.sort(np.array(scores))
    bins = BINS.of(ordered)

    assert (np.diff(bins) >= 0).all()
    assert bins.min() >= 0
    assert bins.max() < 1 << 16


def test_histograms_of_other_bins_are_not_merged() -> None:
    other = TokenHistogram.of(Bins(0, 1), np.array([0.5]), np.array([3]))
    with pytest.raises(InputError, match="different bins"):
        TokenHistogram.merge([of([(1.0, 2, "a")]), other])
    with pytest.raises(InputError, match="or none"):
        TokenHistogram.merge([])
