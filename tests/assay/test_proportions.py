"""Exact intervals and rounding, compared with SciPy and with whole-number arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from assay.proportions import Clustered, chance_of, clopper_pearson, least_trials, rounded_up, trials_needed


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.99))
def test_bounds_and_tails_are_those_of_the_binomial_distribution(counts: tuple[int, int], share: float) -> None:
    successes, trials = counts
    exact = binomtest(successes, trials).proportion_ci(0.95, method="exact")

    assert clopper_pearson(successes, trials).tolist() == pytest.approx([exact.low, exact.high], abs=1e-9)
    assert float(chance_of(successes, trials, share)) == pytest.approx(binom.sf(successes - 1, trials, share), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 1_000), st.integers(0, 5_000))
def test_a_share_of_a_count_is_rounded_up_as_people_write_it(thousandths: int, count: int) -> None:
    share = thousandths / 1_000

    assert rounded_up(share, count) == -(-thousandths * count // 1_000)
    assert rounded_up(Fraction(thousandths, 1_000), count) == rounded_up(share, count)


def test_floats_that_round_up_take_none_too_many() -> None:
    assert 0.07 * 100 > 7 and 0.55 * 100 > 55
    assert rounded_up(0.07, 100) == 7
    assert rounded_up(0.55, 100) == 55
    assert rounded_up(1e-9, 10) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60))
def test_clusters_are_worth_no_more_than_their_documents(rows: list[tuple[int, bool]]) -> None:
    clusters, outcomes = [row[0] for row in rows], [row[1] for row in rows]
    found = Clustered.of(outcomes, clusters)
    low, high = found.interval()

    assert 0 < found.effective_trials <= len(rows) + 1e-9
    assert 1 - 1e-9 <= found.effective_clusters <= len(set(clusters)) + 1e-9
    assert 0 <= low <= np.mean(outcomes) + 1e-9
    assert np.mean(outcomes) - 1e-9 <= high <= 1
    alone = Clustered.of(outcomes, list(range(len(rows))))
    exact = binomtest(sum(outcomes), len(rows)).proportion_ci(0.95, method="exact")
    assert alone.interval().tolist() == pytest.approx([exact.low, exact.high], abs=1e-9)


def test_the_numbers_of_trials_that_do_are_exact() -> None:
    assert least_trials(0.9) == 29
    assert least_trials(0.99) == 299
    assert trials_needed(0.8, 0.8) is None
    needed = trials_needed(0.8, 0.9)
    assert needed is not None
    generator = np.random.default_rng(0)
    shown = chance_of(generator.binomial(needed, 0.9, 20_000), needed, 0.8) <= 0.05
    assert 0.76 < shown.mean() < 0.88
