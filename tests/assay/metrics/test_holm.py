"""Holm's correction for many metrics, and when a model is called better."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.evaluate import evaluate
from assay.metrics import METRICS, Difference, correct, paired_bootstrap, significance
from assay.metrics.holm import holm
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")
PS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(0.0005, 1), max_size=10)


@given(PS)
def test_it_never_falls_below_p_keeps_the_order_and_stays_a_probability(values: dict[str, float]) -> None:
    found = holm(values)

    assert list(found) == list(values)
    assert all(values[name] <= found[name] <= 1 for name in values)
    ordered = sorted(values, key=lambda name: values[name])
    assert all(found[a] <= found[b] for a, b in itertools.pairwise(ordered))
    if values:
        smallest = min(values.values())
        assert min(found.values()) == pytest.approx(min(1, smallest * len(values)))


@given(PS, st.randoms())
def test_the_order_in_which_they_are_given_does_not_matter(values: dict[str, float], random: object) -> None:
    names = list(values)
    random.shuffle(names)

    assert holm({name: values[name] for name in names}) == holm(values)


@given(PS, st.floats(0.01, 0.2))
def test_it_rejects_what_the_step_down_procedure_rejects(values: dict[str, float], alpha: float) -> None:
    rejected = set()
    for place, name in enumerate(sorted(values, key=lambda n: values[n])):
        if values[name] * (len(values) - place) > alpha:
            break
        rejected.add(name)

    assert {name for name, p in holm(values).items() if p <= alpha} == rejected


def test_a_published_example() -> None:
    # Four hypotheses at 0.05: of 0.01, 0.04, 0.03 and 0.005 the first and the last are rejected.
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )


def test_the_primary_metric_is_not_corrected_and_without_p_nothing_is_significant() -> None:
    given = {"f1": Difference(0.1, 0.01, 0.2, 0.98, 0.04), "qwk": Difference(0.1, 0.01, 0.2, 0.98, 0.04)}
    given |= {"mae": Difference(-0.1, -0.2, -0.01, 0.02, 0.03), "brier": Difference(0.1, None, None, None)}

    found = correct(given, "f1")

    assert {name: d.p_holm for name, d in found.items()} == {"f1": 0.04, "qwk": 0.06, "mae": 0.06, "brier": None}
    assert {name: significance(d) for name, d in found.items()} == {
        "f1": "better",
        "qwk": "not significantly different",
        "mae": "not significantly different",
        "brier": "not significantly different",
    }
    assert significance(correct({"mae": given["mae"]}, "f1")["mae"]) == "worse"


def table_of(generator: np.random.Generator, noise: float, label: np.ndarray) -> pd.DataFrame:
    score = label + generator.normal(0, noise, len(label))
    meaning = {"calibrated": np.clip(score, 0, 5), "p_keep": 1 / (1 + np.exp(2.5 - score)), "keep": score >= 2.5}
    grade = np.clip(np.round(score), 0, 5).astype(int)
    ids = [f"d{i}" for i in range(len(label))]
    return pd.DataFrame(
        {"id": ids, "cluster": range(len(label)), "label": label, "score": score, "grade": grade} | meaning
    )


def test_p_is_never_0_two_sided_and_1_for_the_same_model() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 6, 150).astype(float)
    good, bad = table_of(generator, 0.3, label), table_of(generator, 5, label)

    found, backwards = paired_bootstrap(good, bad, RUBRIC), paired_bootstrap(bad, good, RUBRIC)

    assert found["spearman"].p == pytest.approx(2 / 1001)
    assert backwards["spearman"].p == found["spearman"].p
    assert {d.p for d in paired_bootstrap(good, good, RUBRIC).values()} == {1.0}


@pytest.mark.full
def test_of_equal_models_few_pairs_differ_significantly_in_any_metric() -> None:
    """Ten metrics at 5 % each would be wrong in a third of the runs, were they independent."""
    wrong = raw = 0
    for run in range(40):
        generator = np.random.default_rng(run)
        label = generator.integers(0, 6, 120).astype(float)
        one, other = table_of(generator, 1.2, label), table_of(generator, 1.2, label)
        found = correct(paired_bootstrap(one, other, RUBRIC, resamples=400, seed=run), RUBRIC.primary_metric)
        others = [d for name, d in found.items() if name != RUBRIC.primary_metric]
        wrong += any(significance(d) != "not significantly different" for d in others)
        raw += any(d.p is not None and d.p < 0.05 for d in others)

    assert wrong / 40 <= 0.15
    assert raw > wrong


def test_the_warnings_and_the_record_use_the_correction() -> None:
    generator = np.random.default_rng(3)
    label = generator.integers(0, 6, 200).astype(float)
    good, bad = table_of(generator, 0.5, label), table_of(generator, 3, label)

    lost = evaluate(bad, RUBRIC, baselines={"length": good})

    assert set(lost.gains["length"]) == set(METRICS)
    assert any("The model is worse than document length" in line and "p = 0.002" in line for line in lost.warnings)
    assert any("After Holm's correction it is worse than document length in: F1" in said for said in lost.warnings)
    assert not any("document length" in said for said in evaluate(good, RUBRIC, baselines={"length": bad}).warnings)
