"""Slope, intercept, ratio and skill of p_keep, compared with scikit-learn and with planted faults."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from assay.metrics import Outcomes, Probabilities
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def outcomes(p_keep: np.ndarray, positive: np.ndarray) -> Outcomes:
    columns = dict.fromkeys(("score", "calibrated"), p_keep) | {"grade": positive.astype(int), "keep": positive}
    return Outcomes.of(pd.DataFrame({"label": np.where(positive, 4.0, 1.0), "p_keep": p_keep, **columns}), RUBRIC)


def test_the_figures_are_those_of_a_logistic_regression() -> None:
    generator = np.random.default_rng(0)
    odds = generator.normal(-1, 1, 3_000)
    positive = generator.random(3_000) < expit(0.5 + 0.7 * odds)

    found = Probabilities.of(outcomes(expit(odds), positive), np.arange(3_000))

    fitted = LogisticRegression(C=1e9).fit(odds[:, None], positive)
    assert found.slope.value == pytest.approx(fitted.coef_[0, 0], abs=1e-3)
    assert found.slope.low < 0.7 < found.slope.high < 1
    assert found.ratio.value == pytest.approx(positive.mean() / expit(odds).mean())
    assert found.intercept.low < found.intercept.value < found.intercept.high
    assert found.intercept.low > 0
    share = positive.mean()
    brier = ((expit(odds) - positive) ** 2).mean()
    assert found.skill.value == pytest.approx(1 - brier / (share * (1 - share)))


@pytest.mark.parametrize("size", [1, 10])
def test_intervals_hold_a_right_p_keep_nineteen_times_in_twenty(size: int) -> None:
    held = np.zeros(3)
    for seed in range(200):
        generator = np.random.default_rng(seed)
        common = np.repeat(generator.normal(size=600 // size), size)
        odds = generator.normal(-1.5, 1, 600) + (common if size > 1 else 0)
        # Documents of one cluster have the same luck, too: a common uniform number decides half of their labels.
        luck = np.where(
            generator.random(600) < 0.5, np.repeat(generator.random(600 // size), size), generator.random(600)
        )
        found = Probabilities.of(outcomes(expit(odds), luck < expit(odds)), np.arange(600) // size)
        for place, (interval, right) in enumerate(((found.slope, 1), (found.intercept, 0), (found.ratio, 1))):
            held[place] += interval.low <= right <= interval.high
    assert (held / 200 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)).all(), held


def test_what_is_undefined_has_no_figure() -> None:
    positive = np.arange(100) < 30
    perfect = Probabilities.of(outcomes(positive.astype(float), positive), np.arange(100))
    constant = Probabilities.of(outcomes(np.full(100, 0.3), positive), np.arange(100))
    never = Probabilities.of(outcomes(expit(logit(0.3) + np.linspace(-1, 1, 100)), positive & False), np.arange(100))

    assert (perfect.slope.value, perfect.skill.value, perfect.ratio.value) == (
        None,
        pytest.approx(1),
        pytest.approx(1, abs=1e-5),
    )
    assert (constant.slope.value, constant.varies, constant.skill.value) == (None, False, pytest.approx(0.0, abs=1e-9))
    assert (never.slope.value, never.intercept.value, never.ratio.value) == (None, None, 0.0)
    assert never.ratio.high == pytest.approx(0.0, abs=0.2)
    assert "observed over expected 0.00" in never.in_words()
