"""Agreement of judges, against published values, a reference implementation and simulated ceilings."""

import numpy as np
import pandas as pd
import pytest
from panel import RANDOM, ids_of, panel
from sklearn.metrics import cohen_kappa_score

from assay.annotation.agreement import agreement_blocks, alpha, measure_agreement
from assay.errors import InputError
from assay.report import Report, Section, render_html

# The example of Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: four observers, twelve
# units, some without an answer.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
)


def test_alpha_is_that_of_the_published_example() -> None:
    values = np.arange(1.0, 6)
    counts = (OBSERVERS[:, :, None] == values).sum(axis=0).astype(float)

    assert alpha(counts, values, np.ones(12)) == pytest.approx(0.849, abs=0.001)
    assert alpha(counts, None, np.ones(12)) == pytest.approx(0.815, abs=0.001)


def test_qwk_is_that_of_scikit_learn() -> None:
    _, answers = panel(300, {"a": (0, 1, 0.6), "b": (0.5, 1, 0.6)}, seed=4)
    wide = answers.pivot(index="id", columns="judge", values="grade")

    found = measure_agreement(answers, 0, 5, resamples=50)

    assert found.pairs[0].qwk.value == pytest.approx(cohen_kappa_score(wide["a"], wide["b"], weights="quadratic"))
    assert found.retests == []


def test_retest_is_the_kappa_of_two_answers() -> None:
    """A table with both orders of the two answers has their symmetric kappa."""
    _, answers = panel(300, {"a": (0, 1, 0.6)}, repeats={"a": 2}, seed=5)
    wide = answers.pivot(index="id", columns="repeat", values="grade")
    both = np.concatenate([wide[0], wide[1]]), np.concatenate([wide[1], wide[0]])

    found = measure_agreement(answers, 0, 5, resamples=50)

    assert found.retests[0].qwk.value == pytest.approx(cohen_kappa_score(*both, weights="quadratic"))


def test_the_ceiling_is_what_the_truth_reaches() -> None:
    truth, answers = panel(4000, {"a": (0, 1, 0.7)}, repeats={"a": 3}, seed=6)
    mean = answers.groupby("id")["grade"].mean().loc[ids_of(4000)].to_numpy()
    one = answers[answers["repeat"] == 0].set_index("id").loc[ids_of(4000), "grade"].to_numpy()

    found = measure_agreement(answers, 0, 5, resamples=50)

    assert found.ceiling.value == pytest.approx(np.corrcoef(truth, mean)[0, 1], abs=0.02)
    assert found.ceiling_of_one.value == pytest.approx(np.corrcoef(truth, one)[0, 1], abs=0.02)
    assert found.ceiling.low is not None
    assert found.ceiling.low < found.ceiling.value < found.ceiling.high


def test_equal_answers_agree_and_random_ones_do_not() -> None:
    _, answers = panel(200, {"a": (0, 1, 0.5)})
    same = pd.concat([answers, answers.assign(judge="b")])
    _, noise = panel(2000, {"a": (0, 1, RANDOM), "b": (0, 1, RANDOM)})

    agreed, random = measure_agreement(same, 0, 5, resamples=50), measure_agreement(noise, 0, 5, resamples=50)

    assert agreed.alpha_interval.value == agreed.alpha_ordinal.value == agreed.pairs[0].qwk.value == 1
    assert random.alpha_interval.value == pytest.approx(0, abs=0.06)


def test_copies_in_one_cluster_make_no_surer_interval() -> None:
    _, answers = panel(60, {"a": (0, 1, 0.6), "b": (0, 1, 0.6)})
    copies = pd.concat([answers.assign(id=answers["id"] + f"-{number}") for number in range(10)])
    clusters = {name: int(name[1:6]) for name in copies["id"]}

    alone, together = (measure_agreement(copies, 0, 5, clusters=each).alpha_interval for each in (None, clusters))

    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_what_cannot_be_measured_is_named() -> None:
    answers = pd.DataFrame({"id": ["a", "b"], "judge": "j", "repeat": 0, "grade": [1.0, 2.0]})

    with pytest.raises(InputError, match="no document has two answers"):
        measure_agreement(answers, 0, 5)
    with pytest.raises(InputError, match="all answers are 3"):
        measure_agreement(pd.concat([answers, answers.assign(judge="k")]).assign(grade=3.0), 0, 5)


def test_the_page_shows_pairs_and_repeats() -> None:
    _, answers = panel(80, {"a": (0, 1, 0.5), "b": (0, 1, 0.5)}, repeats={"a": 2})
    found = measure_agreement(answers, 0, 5, resamples=50)

    page = render_html(Report("r", sections=[Section("s", agreement_blocks(found))]))

    assert "a, b" in page
    assert "One judge asked twice" in page
