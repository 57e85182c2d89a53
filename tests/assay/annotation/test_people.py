"""A judge beside people: a planted bias and a planted liking for long texts are found, and only these."""

import numpy as np
import pandas as pd
import pytest

from assay.annotation.people import compare_with_people, people_blocks
from assay.errors import InputError
from assay.report import Report, Section, render_html


def labelled(count: int, *, liking: float, bias: float, seed: int = 0) -> tuple[list[str], np.ndarray, pd.DataFrame]:
    """Return texts, a judge's labels and those of three people. `liking`: grades for a text e times as long."""
    rng = np.random.default_rng(seed)
    truth, length = rng.uniform(0, 5, count), np.exp(rng.normal(4, 0.7, count))
    texts = [" ".join(["word"] * int(words)) for words in length]
    people = pd.DataFrame({f"p{n}": np.clip(np.round(truth + rng.normal(0, 0.4, count)), 0, 5) for n in range(3)})
    judge = truth + bias + liking * (np.log(length) - 4) + rng.normal(0, 0.5, count)
    return texts, np.clip(np.round(judge), 0, 5), people


def test_a_liking_for_long_texts_is_found() -> None:
    found = compare_with_people(*labelled(400, liking=0.8, bias=0.5), judge="j", resamples=200)

    length = next(each for each in found.shortcuts if each.feature == "length")
    assert length.judge.low > 0.3
    assert length.people.value == pytest.approx(0, abs=0.15)
    assert found.bias.value == pytest.approx(0.4, abs=0.15)
    assert found.by_grade[0].bias.value > found.by_grade[-1].bias.value, "no grade is above the highest"
    assert "length" in found.sentences()[1]


def test_an_honest_judge_takes_no_shortcut() -> None:
    by_seed = [compare_with_people(*labelled(400, liking=0.0, bias=0.0, seed=seed), resamples=1) for seed in range(12)]

    partial = [each.judge.value for found in by_seed for each in found.shortcuts if each.feature == "length"]
    assert abs(np.mean(partial)) < 3 * np.std(partial, ddof=1) / np.sqrt(12)
    assert np.std(partial) < 0.1
    assert abs(np.mean([found.bias.value for found in by_seed])) < 0.03
    assert min(found.qwk.value for found in by_seed) > 0.85


def test_people_who_are_right_leave_nothing_to_explain() -> None:
    texts, _, people = labelled(100, liking=0.0, bias=0.0)

    found = compare_with_people(texts, people["p0"], people[["p0"]], resamples=20)

    assert found.bias.value == 0
    assert found.qwk.value == 1
    assert all(each.people is None for each in found.shortcuts)
    assert len(found.sentences()) == 1


def test_missing_labels_are_left_out_and_too_few_are_refused() -> None:
    texts, judge, people = labelled(60, liking=0.0, bias=0.0)
    judge[:10] = np.nan
    people.iloc[10:20] = np.nan

    assert compare_with_people(texts, judge, people, resamples=20).documents == 40
    with pytest.raises(InputError, match="19 documents have a label"):
        compare_with_people(texts[:39], judge[:39], people[:39])


def test_the_page_names_the_judge() -> None:
    found = compare_with_people(*labelled(80, liking=0.8, bias=0.5), judge="judge-7", resamples=20)

    page = render_html(Report("r", sections=[Section("s", people_blocks(found))]))

    assert "judge-7" in page
    assert "a person, given the others" in page
