"""Answers of judges become labels: planted judges are found again, and no order of the answers matters."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel import RANDOM, ids_of, panel
from scipy.stats import spearmanr

from assay.annotation.graded import POINTS, _Judge
from assay.annotation.raters import combine, combine_answers
from assay.errors import InputError

THREE = {"good": (0.0, 1.0, 0.4), "lenient": (1.0, 0.9, 0.6), "poor": (0.0, 1.0, 1.5)}


def agreement(labels: pd.DataFrame, truth: np.ndarray) -> float:
    return float(spearmanr(labels.set_index("id").loc[ids_of(len(truth)), "label"], truth).statistic)


def test_planted_judges_are_found_again() -> None:
    truth, answers = panel(1000, {**THREE, "random": (0, 1, RANDOM)})

    found = combine_answers(answers, 0, 5)

    judges = {judge.judge: judge for judge in found.judges}
    assert judges["good"].reliability > judges["lenient"].reliability > judges["poor"].reliability > 0.2
    assert judges["random"].reliability < 0.05
    assert judges["random"].share < 0.02
    assert judges["lenient"].bias - judges["good"].bias == pytest.approx(1 - 0.1 * 2.2, abs=0.15)
    assert judges["good"].noise < judges["lenient"].noise < judges["poor"].noise
    mean = answers.groupby("id")["grade"].mean().loc[ids_of(1000)]
    assert agreement(found.table, truth) > spearmanr(mean, truth).statistic + 0.03


def test_uncertainty_is_as_large_as_the_errors() -> None:
    """The labels are on the scale of the judges' expected answers; a line takes the quality to it."""
    truth, answers = panel(2000, {"a": (0, 1, 0.5), "b": (0, 1, 0.5)}, seed=3)
    labels = combine(answers, 0, 5).set_index("id").loc[ids_of(2000)]
    inside = (truth > 1) & (truth < 4)

    error = labels["label"].to_numpy()[inside] - truth[inside]

    assert error.mean() == pytest.approx(0, abs=0.05)
    assert error.std() == pytest.approx(labels["uncertainty"].to_numpy()[inside].mean(), rel=0.25)


def test_a_random_judge_loses_weight() -> None:
    _, answers = panel(600, {"a": (0, 1, 0.4), "b": (0, 1, 0.4), "random": (0, 1, RANDOM)})
    alone = answers["id"].isin(ids_of(100))
    kept = answers[~alone | (answers["judge"] == "random")]

    labels = combine(kept, 0, 5).set_index("id")

    by_random = labels.index.isin(ids_of(100))
    assert labels.loc[by_random, "weight"].max() < 0.1
    assert labels.loc[~by_random, "weight"].min() > 0.7


@pytest.mark.parametrize("grade", [0.0, 2.0, 5.0])
def test_a_constant_judge_adds_nothing(grade: float) -> None:
    _, answers = panel(500, {"a": (0, 1, 0.4), "b": (0.3, 1, 0.6)})
    constant = pd.DataFrame({"id": ids_of(500), "judge": "constant", "repeat": 0, "grade": grade})

    without = combine(answers, 0, 5)
    found = combine_answers(pd.concat([answers, constant]), 0, 5)

    assert found.table["label"].to_numpy() == pytest.approx(without["label"].to_numpy(), abs=0.05)
    assert found.table["uncertainty"].to_numpy() == pytest.approx(without["uncertainty"].to_numpy(), abs=0.05)


def test_repeats_of_one_judge_do_not_outvote_another() -> None:
    """Five answers of a judge with an error of its own are worth little more than one."""
    judges = {"often": (0, 1, 0.3), "once": (0, 1, 0.3), "third": (0, 1, 0.3)}
    truth, answers = panel(800, judges, repeats={"often": 5}, own=0.8, seed=1)

    found = combine_answers(answers, 0, 5)

    mean = answers.groupby("id")["grade"].mean().loc[ids_of(800)]
    assert agreement(found.table, truth) > spearmanr(mean, truth).statistic + 0.02


def test_more_answers_make_labels_surer() -> None:
    _, answers = panel(400, {"judge": (0, 1, 0.8)}, repeats={"judge": 5})

    spread = [combine(answers[answers["repeat"] < count], 0, 5)["uncertainty"].mean() for count in (2, 3, 5)]

    assert spread[0] > spread[1] > spread[2]


def test_without_a_second_answer_the_label_is_the_answer() -> None:
    answers = pd.DataFrame({"id": ["a", "b", "c"], "judge": "j", "repeat": 0, "grade": [1.0, 4.0, np.nan]})

    found = combine_answers(answers, 0, 5)

    assert found.assumed
    assert found.table["id"].tolist() == ["a", "b"], "a failed judgement is no label"
    assert found.table["label"].tolist() == [1, 4]
    assert (found.table["uncertainty"] > 0).all()


@pytest.mark.parametrize("grades", [[3.0], [3.0, 3.0]])
def test_few_answers_do_not_blow_up(grades: list[float]) -> None:
    answers = pd.DataFrame({"id": "a", "judge": "j", "repeat": range(len(grades)), "grade": grades})
    other = pd.DataFrame({"id": ["b", "b"], "judge": ["j", "k"], "repeat": 0, "grade": [0.0, 5.0]})

    alone, both = combine(answers, 0, 5), combine(pd.concat([answers, other]), 0, 5)

    assert alone["label"].tolist() == [3]
    assert np.isfinite(both[["label", "uncertainty", "weight"]].to_numpy()).all()
    assert both["label"].between(0, 5).all()


def test_a_reference_judge_gives_the_level() -> None:
    truth, answers = panel(1500, {"strict": (-0.8, 1, 0.4), "lenient": (0.8, 1, 0.4)})

    labels = combine(answers, 0, 5, reference="lenient").set_index("id").loc[ids_of(1500)]

    inside = (truth > 1) & (truth < 3.5)
    assert (labels["label"].to_numpy() - truth)[inside].mean() == pytest.approx(0.8, abs=0.1)


def test_a_long_scale_is_joined() -> None:
    truth, answers = panel(500, {"a": (0, 1, 0.4), "b": (0, 1, 0.4)})
    rng = np.random.default_rng(0)
    answers["grade"] = np.clip(answers["grade"] * 20 + rng.integers(-9, 10, len(answers)), 0, 100)

    labels = combine(answers, 0, 100)

    assert agreement(labels, truth) > 0.9
    assert labels["label"].between(0, 100).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), missing=st.floats(0, 0.8), repeats=st.integers(1, 3))
def test_neither_rows_nor_names_of_judges_matter(seed: int, missing: float, repeats: int) -> None:
    rng = np.random.default_rng(seed)
    _, answers = panel(60, THREE, repeats={"good": repeats}, seed=seed)
    answers.loc[rng.random(len(answers)) < missing, "grade"] = np.nan
    renamed = answers.assign(judge=answers["judge"].map({"good": "z", "lenient": "b", "poor": "a"}))

    first = combine(answers, 0, 5)

    pd.testing.assert_frame_equal(first, combine(answers.sample(frac=1, random_state=seed), 0, 5))
    again = combine(renamed, 0, 5)
    assert again["label"].to_numpy() == pytest.approx(first["label"].to_numpy(), abs=0.02)
    assert first["label"].between(0, 5).all()
    assert first["weight"].between(0.01, 1).all()
    assert set(first["id"]) == set(answers.loc[answers["grade"].notna(), "id"])


def test_higher_answers_give_higher_labels() -> None:
    _, answers = panel(300, THREE)
    labels = combine(answers, 0, 5).set_index("id")["label"]
    wide = answers.pivot(index="id", columns="judge", values="grade")

    for first, second in zip(wide.index, wide.index[1:], strict=False):
        if (wide.loc[first] >= wide.loc[second]).all():
            assert labels[first] >= labels[second] - 1e-6


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (7, 4)).astype(float)
    expected = rng.random((7, len(POINTS)))
    pooled = np.array([0.1, 0.4, 0.3, 0.2])
    flat = np.array([0.7, 0.6, -2.0, 0.3, 0.5])

    def value(at: np.ndarray) -> float:
        judge = _Judge.of(at)
        likelihood = judge.likelihood(rows)
        return float((expected * likelihood).sum() + judge.gradient(rows, expected, likelihood, pooled)[0])

    judge = _Judge.of(flat)
    _, found = judge.gradient(rows, expected, judge.likelihood(rows), pooled)

    step = 1e-5 * np.eye(5)
    assert found == pytest.approx([(value(flat + s) - value(flat - s)) / 2e-5 for s in step], rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grade": [9.0, 1.0]}, "outside 0 to 5"),
        ({"grade": [np.nan, np.nan]}, "no valid answer"),
        ({"id": ["a", "a"]}, "two answers to document 'a'"),
    ],
)
def test_bad_answers_are_named(changes: dict[str, list[object]], message: str) -> None:
    answers = pd.DataFrame({"id": ["a", "b"], "judge": "j", "repeat": 0, "grade": [1.0, 2.0]}).assign(**changes)

    with pytest.raises(InputError, match=message):
        combine(answers, 0, 5)


def test_a_missing_column_and_an_unknown_reference_are_named() -> None:
    answers = pd.DataFrame({"id": ["a", "b"], "judge": "j", "repeat": 0, "grade": [1.0, 2.0]})

    with pytest.raises(InputError, match="no column 'repeat'"):
        combine(answers.drop(columns="repeat"), 0, 5)
    with pytest.raises(InputError, match="no answer by the judge 'k'"):
        combine(answers, 0, 5, reference="k")
