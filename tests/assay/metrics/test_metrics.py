"""Metrics against scikit-learn and scipy; a weight of two is a document that occurs twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
)

from assay.metrics import METRICS, Outcomes, measure
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def outcomes_of(generator: np.random.Generator, n: int, *, ties: bool = False) -> Outcomes:
    label = generator.integers(0, 6, n).astype(float)
    score = label + generator.normal(0, 1.5, n)
    score = np.round(score) if ties else score
    p_keep = 1 / (1 + np.exp(-(score - 2.7)))
    return Outcomes(
        label=label,
        score=score,
        calibrated=np.clip(score, 0, 5),
        p_keep=p_keep,
        grade=np.clip(np.round(score), 0, 5).astype(int),
        keep=score >= 2.7,
        rubric=RUBRIC,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 120), st.booleans())
def test_metrics_are_those_of_the_libraries(seed: int, n: int, ties: bool) -> None:
    o = outcomes_of(np.random.default_rng(seed), n, ties=ties)
    positive, whole = o.label >= 3, o.label.astype(int)

    found = measure(o)

    expected = {
        "f1": f1_score(positive, o.keep),
        "precision": precision_score(positive, o.keep),
        "recall": recall_score(positive, o.keep),
        "average_precision": average_precision_score(positive, o.score),
        "qwk": cohen_kappa_score(whole, o.grade, weights="quadratic", labels=range(6)),
        "spearman": spearmanr(o.score, o.label).statistic,
        "mae": np.abs(o.calibrated - o.label).mean(),
        "macro_f1": np.mean([f1_score(whole == g, o.grade == g, zero_division=0) for g in np.unique(whole)]),
        "brier": ((o.p_keep - positive) ** 2).mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_weight_is_a_number_of_copies(seed: int) -> None:
    generator = np.random.default_rng(seed)
    o, times = outcomes_of(generator, 50, ties=True), generator.integers(0, 4, 50)
    repeated = Outcomes(
        **{f: np.repeat(getattr(o, f), times) for f in ("label", "score", "calibrated", "p_keep", "grade", "keep")},
        rubric=RUBRIC,
    )

    weighted, copied = measure(o, times), measure(repeated)

    for name in set(METRICS) - {"calibration_error"}:  # whose bins are fixed before a resample is drawn
        assert weighted[name] == pytest.approx(copied[name], nan_ok=True, abs=1e-9), name


def test_what_is_missing_makes_a_metric_undefined_not_zero() -> None:
    o = outcomes_of(np.random.default_rng(0), 40)
    nothing = Outcomes(o.label * 0, o.score, o.calibrated, o.p_keep, o.grade * 0, np.zeros(40, bool), RUBRIC)

    found = measure(nothing)

    for name in ("f1", "precision", "recall", "average_precision", "spearman", "qwk"):
        assert np.isnan(found[name]), name
    missed = Outcomes(o.label, o.score, o.calibrated, o.p_keep, o.grade, np.zeros(40, bool), RUBRIC)
    assert measure(missed)["f1"] == 0


def test_probabilities_that_are_wrong_show_in_the_calibration_error() -> None:
    generator = np.random.default_rng(0)
    p = generator.uniform(0, 1, 20_000)
    label = np.where(generator.uniform(0, 1, len(p)) < p, 5.0, 0.0)
    right = Outcomes(label, p, p * 5, p, np.zeros(len(p), int), p > 0.5, RUBRIC)
    wrong = Outcomes(label, p, p * 5, np.sqrt(p), np.zeros(len(p), int), p > 0.5, RUBRIC)

    assert measure(right)["calibration_error"] < 0.02
    assert measure(wrong)["calibration_error"] == pytest.approx(2 / 3 - 1 / 2, abs=0.02)
