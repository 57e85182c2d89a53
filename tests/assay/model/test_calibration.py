"""Calibration: monotone, exact in its margins, finite for separated labels, and refused for unusable data."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.model import Calibration
from assay.storage import parse_json

FINITE = st.floats(-1e4, 1e4, allow_nan=False)


def fitted(scores: np.ndarray, labels: np.ndarray, threshold: float = 3) -> Calibration:
    return Calibration.fit(scores, labels, low=0, high=5, threshold=threshold)


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(20, 60))
    scores = np.array(draw(st.lists(FINITE, min_size=n, max_size=n)))
    labels = np.array(draw(st.lists(st.sampled_from([0, 1, 2, 2.5, 3, 4, 5]), min_size=n, max_size=n)), dtype=float)
    labels[0], labels[1] = 0, 5
    return scores, labels


@settings(max_examples=60, deadline=None)
@given(tables(), st.lists(FINITE, min_size=2, max_size=30), st.sampled_from([1, 2.25, 3, 5]))
def test_every_output_is_non_decreasing_in_the_score(
    table: tuple[np.ndarray, np.ndarray], scores: list[float], threshold: float
) -> None:
    calibration = fitted(*table, threshold)
    whole = fitted(table[0], np.floor(table[1]), threshold)

    meaning = calibration.apply(sorted(scores))

    for values in (meaning.calibrated, meaning.p_keep, meaning.grade, meaning.keep.astype(int)):
        assert (np.diff(values) >= 0).all()
    assert ((meaning.calibrated >= -1e-9) & (meaning.calibrated <= 5 + 1e-9)).all()
    assert ((meaning.p_keep >= 0) & (meaning.p_keep <= 1)).all()
    if threshold == int(threshold):
        assert (meaning.grade[meaning.keep] >= threshold).all()
        meaning = whole.apply(sorted(scores))
        assert (meaning.keep == (meaning.grade >= threshold)).all()


@settings(max_examples=40, deadline=None)
@given(tables())
def test_a_calibration_written_as_json_is_read_back_equal(table: tuple[np.ndarray, np.ndarray]) -> None:
    calibration = fitted(*table)

    assert parse_json(Calibration, json.dumps(calibration.to_json(), allow_nan=False), what="it") == calibration


def planted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the model itself."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(1, 2, n)
    noise = generator.logistic(size=n)
    return scores, np.searchsorted([-2, 0, 1, 2.5, 4], 1.5 * (scores - 1) + noise).astype(float)


def test_margins_are_exact_on_the_fitting_documents_and_hold_on_others() -> None:
    scores, labels = planted(4000)
    calibration = fitted(scores, labels)

    here = calibration.apply(scores)
    assert here.p_keep.mean() == pytest.approx((labels >= 3).mean(), abs=2e-4)
    assert here.calibrated.mean() == pytest.approx(labels.mean(), abs=2e-3)
    for grade in range(1, 6):
        assert (here.grade >= grade).sum() == (labels >= grade).sum()
    assert here.keep.sum() == (labels >= 3).sum()

    scores, labels = planted(40_000, seed=1)
    there = calibration.apply(scores)
    for low, high in ((0.05, 0.2), (0.4, 0.6), (0.8, 0.95)):
        near = (there.p_keep > low) & (there.p_keep < high)
        assert (labels[near] >= 3).mean() == pytest.approx(there.p_keep[near].mean(), abs=0.05)


def test_a_threshold_between_levels_and_fractional_labels_are_exact() -> None:
    scores, labels = planted(2000)
    labels = np.clip(labels + np.random.default_rng(3).choice([0, 0.5], len(labels)), 0, 5)

    meaning = fitted(scores, labels, threshold=2.25).apply(scores)

    assert meaning.p_keep.mean() == pytest.approx((labels >= 2.25).mean(), abs=2e-4)
    assert meaning.keep.sum() == (labels >= 2.25).sum()
    assert meaning.calibrated.mean() == pytest.approx(labels.mean(), abs=2e-3)


def test_each_grade_is_as_frequent_as_labels_that_round_to_it() -> None:
    """Means of two raters lie between the grades; cut points for labels that reach a grade would grade too low."""
    scores, first = planted(2000)
    labels = (first + np.clip(first + np.random.default_rng(1).integers(-1, 2, len(first)), 0, 5)) / 2

    meaning = fitted(scores, labels).apply(scores)

    rounded = np.floor(labels + 0.5)
    assert [(meaning.grade == grade).sum() for grade in range(6)] == [(rounded == grade).sum() for grade in range(6)]
    assert meaning.keep.sum() == (labels >= 3).sum()


def test_rare_grades_occur_that_a_rounded_expectation_would_never_give() -> None:
    generator = np.random.default_rng(0)
    labels = generator.choice(6, 2000, p=[0.12, 0.58, 0.22, 0.05, 0.02, 0.01]).astype(float)
    scores = labels + generator.normal(0, 2, len(labels))

    meaning = fitted(scores, labels).apply(scores)

    assert (np.round(meaning.calibrated) >= 4).sum() == 0
    assert (meaning.grade >= 4).sum() == (labels >= 4).sum() > 20


def test_perfect_separation_and_equal_scores_stay_finite() -> None:
    labels = np.repeat([0.0, 5.0], 30)

    perfect = fitted(labels, labels)
    meaning = perfect.apply(labels)
    assert (meaning.keep == (labels >= 3)).all()
    assert np.isfinite(perfect.slope)

    equal = fitted(np.full(60, 1.7), labels)
    meaning = equal.apply([1.7, -9, 9])
    assert equal.slope == 0
    np.testing.assert_allclose(meaning.p_keep, 0.5)
    assert meaning.keep.tolist() == [True, True, True]


def test_a_score_that_falls_with_the_label_gets_slope_0() -> None:
    scores, labels = planted(500)

    assert fitted(-scores, labels).slope == 0


def test_many_different_labels_are_binned() -> None:
    generator = np.random.default_rng(0)
    labels = generator.uniform(0, 100, 800)
    scores = labels + generator.normal(0, 5, 800)

    calibration = Calibration.fit(scores, labels, low=0, high=100, threshold=60)

    assert np.abs(calibration.apply(scores).calibrated - labels).mean() < 8


def test_binned_labels_keep_their_mean_and_their_threshold() -> None:
    """Means of many raters take more values than there are levels; floors of them would be half a grade too low."""
    generator = np.random.default_rng(0)
    labels = generator.uniform(0, 5, 3000)
    scores = labels + generator.normal(0, 0.5, 3000)

    calibration = fitted(scores, labels, threshold=2.7)
    meaning = calibration.apply(scores)

    assert len(calibration.levels) == 5
    assert meaning.calibrated.mean() == pytest.approx(labels.mean(), abs=2e-3)
    assert meaning.p_keep.mean() == pytest.approx((labels >= 2.7).mean(), abs=2e-4)
    for low, high in ((0.5, 1.5), (2, 3), (3.5, 4.5)):
        near = (meaning.calibrated > low) & (meaning.calibrated < high)
        assert labels[near].mean() == pytest.approx(meaning.calibrated[near].mean(), abs=0.15)


@pytest.mark.parametrize(
    ("scores", "labels", "complaint"),
    [
        (np.arange(10.0), np.arange(10.0) % 6, "too few"),
        (np.arange(40.0), np.zeros(40), "no labels reach"),
        (np.arange(40.0), np.full(40, 5.0), "all labels reach"),
        (np.full(40, np.nan), np.arange(40.0) % 6, "not finite"),
    ],
)
def test_unusable_calibration_sets_are_refused(scores: np.ndarray, labels: np.ndarray, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        fitted(scores, labels)
