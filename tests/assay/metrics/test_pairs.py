"""Pairs in the right order: exact against counting them one by one, also where documents count more than once."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from assay.evaluation import Evaluation
from assay.evaluation.evaluate import evaluate
from assay.metrics import pair_accuracy
from assay.metrics.pairs import _Pairs
from assay.rubric import Rubric, load_rubric
from assay.storage import parse_record

RUBRIC = load_rubric("education")


def table_of(label: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    n = len(label)
    meaning = {"calibrated": label, "p_keep": 0.5, "grade": 0, "keep": score >= 2.5}
    return pd.DataFrame(
        {"id": [f"d{i}" for i in range(n)], "cluster": range(n), "label": label, "score": score} | meaning
    )


def one_by_one(label: np.ndarray, score: np.ndarray, low: float, high: float) -> tuple[int, float]:
    right = [
        float(score[i] > score[j]) + (score[i] == score[j]) / 2
        for i in range(len(label))
        for j in range(len(label))
        if low <= label[i] - label[j] < high
    ]
    return len(right), sum(right)


HALVES = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=25)


@given(HALVES)
def test_it_is_what_counting_pairs_one_by_one_gives(documents: list[tuple[int, int, int]]) -> None:
    label = np.array([label / 2 for label, _, _ in documents])
    score = np.array([float(score) for _, score, _ in documents])

    found = pair_accuracy(table_of(label, score), RUBRIC)

    expected = {low: one_by_one(label, score, low, low + 1) for low in (0.5, 1.5, 2.5, 3.5, 4.5)}
    assert [entry.low for entry in found] == [low for low, (pairs, _) in expected.items() if pairs]
    for entry in found:
        pairs, right = expected[entry.low]
        assert entry.pairs == pairs
        assert entry.accuracy.value == pytest.approx(right / pairs)


@given(HALVES)
def test_a_document_that_counts_twice_is_two_documents(documents: list[tuple[int, int, int]]) -> None:
    label, score, weight = (np.array(column) for column in zip(*documents, strict=True))
    order = np.argsort(score, kind="stable")
    repeated = np.repeat(order, weight[order])
    if not len(repeated):
        return

    def ties(scores: np.ndarray) -> np.ndarray:
        return np.unique(scores, return_inverse=True)[1]

    weighted = _Pairs(label[order], ties(score[order]), 11)(weight[order].astype(float))
    listed = _Pairs(label[repeated], ties(score[repeated]), 11)(np.ones(len(repeated)))

    for one, other in zip(weighted, listed, strict=True):
        np.testing.assert_allclose(one, other)


def test_of_two_levels_it_is_the_area_under_the_roc_curve_with_an_interval() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 200).astype(float)
    score = label + generator.normal(0, 1, 200)

    (found,) = pair_accuracy(table_of(label, score), Rubric("binary", 0, 1, 1))

    assert found.accuracy.value == pytest.approx(roc_auc_score(label, score))
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.pairs == label.sum() * (1 - label).sum()


def test_farther_labels_are_ordered_better_and_few_documents_get_no_interval() -> None:
    generator = np.random.default_rng(1)
    label = np.concatenate([generator.integers(0, 4, 200), [5, 5]]).astype(float)
    table = table_of(label, label + generator.normal(0, 1.5, 202))

    found = evaluate(table.assign(grade=0), RUBRIC).pairs

    values = [entry.accuracy.value for entry in found]
    assert values[:3] == sorted(values[:3])
    assert found[0].accuracy.low is not None
    assert found[-1].low == 4.5
    assert found[-1].accuracy.low is None
    assert pair_accuracy(table.iloc[:1], RUBRIC) == []
    assert all(entry.accuracy.low is None for entry in pair_accuracy(table.iloc[:40], RUBRIC))


def test_a_long_scale_has_few_bins_and_many_documents_take_seconds() -> None:
    generator = np.random.default_rng(2)
    label = np.round(generator.uniform(0, 100, 3000), 3)
    table = table_of(label, label + generator.normal(0, 30, 3000))
    started = time.process_time()

    found = pair_accuracy(table, Rubric("percent", 0, 100, 50), resamples=200)

    assert len(found) == 12
    assert time.process_time() - started < 20  # comparing all 4.5 million pairs 200 times takes minutes
    pairs, right = one_by_one(label[:400], table["score"].to_numpy()[:400], found[3].low, found[3].high)
    part = pair_accuracy(table.iloc[:400], Rubric("percent", 0, 100, 50), resamples=2)[3]
    # Labels rounded to a quarter of a bin move a few pairs to the next bin.
    assert part.accuracy.value == pytest.approx(right / pairs, abs=0.02)


def test_the_evaluation_keeps_it_in_json() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 6, 60).astype(float)
    found = evaluate(table_of(label, label), RUBRIC)

    assert parse_record(Evaluation, found.to_json(), what="this evaluation") == found
    assert {entry.accuracy.value for entry in found.pairs} == {1.0}
