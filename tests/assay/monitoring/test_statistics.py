"""The statistical tests of a drift look: exact if that can be checked, and p-values that are never too small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp

from assay.monitoring.statistics import (
    g_statistic,
    ks_distance,
    ks_p,
    ks_seen_from,
    merge_cells,
    psi,
    psi_of_chance,
    share_p,
    shuffled_p,
    total_variation,
)

COUNTS = st.lists(st.integers(0, 200), min_size=2, max_size=40)


@st.composite
def two_samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    a = draw(COUNTS)
    b = draw(st.lists(st.integers(0, 200), min_size=len(a), max_size=len(a)))
    return np.array(a) + np.eye(len(a), dtype=int)[0], np.array(b) + np.eye(len(a), dtype=int)[-1]


@given(two_samples(), st.integers(1, 20))
def test_merging_keeps_every_document_and_the_order_and_takes_both_alike(
    samples: tuple[np.ndarray, np.ndarray], cells: int
) -> None:
    a, b = samples

    few_a, few_b = merge_cells(a, b, cells)
    turned_b, turned_a = merge_cells(b, a, cells)

    assert (few_a.sum(), few_b.sum()) == (a.sum(), b.sum())
    assert len(few_a) == len(few_b) <= cells
    assert (few_a.tolist(), few_b.tolist()) == (turned_a.tolist(), turned_b.tolist())
    assert set(np.cumsum(few_a)) <= {0, *np.cumsum(a)}, "cells of the grid stay whole"


@given(two_samples())
def test_distances_are_none_of_a_sample_from_itself_and_the_same_from_either_side(
    samples: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = samples
    for distance in (psi, g_statistic, ks_distance, total_variation):
        assert float(distance(a, a)) == pytest.approx(0, abs=1e-9)
        assert float(distance(a, b)) == pytest.approx(float(distance(b, a)), abs=1e-9)
        assert float(distance(a, b)) >= -1e-9
    assert total_variation(a, b) >= ks_distance(a, b) - 1e-12


def test_the_statistics_are_those_of_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 300), rng.integers(0, 8, 200)
    counts = [np.bincount(each, minlength=9) for each in (a, b)]

    assert ks_distance(*counts) == pytest.approx(ks_2samp(a, b).statistic)
    expected = chi2_contingency(np.stack(counts), lambda_="log-likelihood").statistic
    assert float(g_statistic(*counts)) == pytest.approx(expected)
    assert share_p(3, 50, 20, 60) == pytest.approx(fisher_exact([[3, 47], [20, 40]]).pvalue)
    p, q = np.array([10.5, 30.5]) / 41, np.array([20.5, 20.5]) / 41
    assert float(psi(np.array([10, 30]), np.array([20, 20]))) == pytest.approx(float(((p - q) * np.log(p / q)).sum()))


def test_a_shuffled_p_of_two_cells_is_that_of_the_exact_test() -> None:
    a, b = np.array([30, 70]), np.array([48, 52])
    exact = fisher_exact([a, b]).pvalue

    found = np.mean([shuffled_p(a, b, g_statistic, level=1e-4, seed=seed) for seed in range(40)])

    assert found == pytest.approx(exact, rel=0.2)
    assert shuffled_p(np.array([0, 400]), np.array([400, 0]), psi, level=1e-5) == pytest.approx(1 / 200_001)


@pytest.mark.parametrize(("m", "n"), [(20, 20), (60, 500), (500, 60)])
def test_p_values_are_not_too_small_where_nothing_has_changed(m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    shares = rng.dirichlet(np.ones(30))
    p = {"psi": [], "g": [], "ks": []}
    for seed in range(400):
        a, b = rng.multinomial(m, shares), rng.multinomial(n, shares)
        p["psi"].append(shuffled_p(*merge_cells(a, b, 10), psi, level=0.01, seed=seed))
        p["g"].append(shuffled_p(a, b, g_statistic, level=0.01, seed=seed))
        p["ks"].append(ks_p(ks_distance(a, b), m, n))
    for name, values in p.items():
        for level in (0.02, 0.1, 0.3):
            # Three standard deviations above what is promised.
            most = level + 3 * np.sqrt(level * (1 - level) / 400)
            assert np.mean(np.array(values) <= level) <= most, (name, level)


def test_the_index_of_small_samples_is_what_chance_is_said_to_bring_about() -> None:
    rng = np.random.default_rng(0)
    for m, n in ((300, 300), (2_000, 300), (500, 5_000)):
        found = [float(psi(*(rng.multinomial(size, np.full(10, 0.1)) for size in (m, n)))) for _ in range(500)]
        assert np.mean(found) == pytest.approx(psi_of_chance(m, n, 10), rel=0.1)


def test_from_the_distance_that_is_seen_on_the_bound_reaches_the_level() -> None:
    distance = ks_seen_from(500, 800, 1e-6)

    assert ks_p(distance, 500, 800) == pytest.approx(1e-6)
    assert ks_p(distance - 0.01, 500, 800) > 1e-6
