"""The promise of a cascade holds in as many draws as it says, whatever the cheap model is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from assay.errors import InputError
from assay.scoring.certificate import certified_cut, cut_rank, least_positives


def test_fewer_than_299_documents_cannot_promise_99_percent() -> None:
    assert least_positives(0.99, 0.95) == 299
    assert [cut_rank(count, 0.99, 0.95) for count in (298, 299, 473, 1000)] == [0, 1, 2, 5]


@given(st.integers(1, 3000), st.floats(0.5, 0.999), st.floats(0.5, 0.999))
@settings(max_examples=80, deadline=None)
def test_the_rank_is_the_largest_that_keeps_the_promise(positives: int, recall: float, confidence: float) -> None:
    rank = cut_rank(positives, recall, confidence)

    # The number of documents below the cut is larger than allowed with this probability.
    assert rank == 0 or binom.cdf(rank - 1, positives, 1 - recall) <= 1 - confidence
    assert binom.cdf(rank, positives, 1 - recall) > 1 - confidence
    assert (rank >= 1) == (positives >= least_positives(recall, confidence))


MODELS = {
    "honest": lambda truth, generator: truth + generator.normal(0, 0.4, len(truth)),
    "of few values": lambda truth, generator: np.round(truth + generator.normal(0, 0.4, len(truth))),
    "blind": lambda truth, generator: generator.normal(0, 1, len(truth)),
    "a liar": lambda truth, generator: -truth + generator.normal(0, 0.4, len(truth)),
    "constant": lambda truth, _: np.ones(len(truth)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("recall", "drawn"), [(0.99, 600), (0.95, 150), (0.9, 40)])
def test_the_promise_is_broken_in_at_most_5_of_100_draws(name: str, recall: float, drawn: int) -> None:
    generator, runs = np.random.default_rng(1), 1_000
    # Documents of the corpus that the full model would keep. Near-duplicates have the same score.
    truth = np.repeat(generator.normal(3, 1, 1_500), 4)
    cheap = MODELS[name](truth, generator)
    broken = 0
    for _ in range(runs):
        cut = certified_cut(generator.choice(cheap, drawn, replace=False), recall, 0.95, asked=drawn)
        broken += (cheap >= cut).mean() < recall

    # 5 %, and three standard errors of so many draws.
    assert broken / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_cheap_model_that_lies_rejects_nearly_nothing_and_an_honest_one_much() -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(0, 1, 60_000)
    positive = np.flatnonzero(truth > 1.3)
    passed = {}
    for name, model in MODELS.items():
        cheap = model(truth, generator)
        cut = certified_cut(cheap[positive[:600]], 0.99, 0.95, asked=6_000)
        passed[name] = (cheap >= cut).mean()

    assert passed["honest"] < 0.5
    assert passed["a liar"] > 0.95
    assert passed["blind"] > 0.95
    assert passed["constant"] == 1


def test_what_the_cheap_model_could_not_score_is_never_rejected() -> None:
    scores = np.array([*np.arange(600.0), *[np.nan] * 100])

    assert certified_cut(scores, 0.99, 0.95, asked=9_000) == certified_cut(
        np.array([*np.arange(600.0), *[1e9] * 100]), 0.99, 0.95, asked=9_000
    )


def test_too_few_documents_say_what_they_can_promise() -> None:
    with pytest.raises(InputError) as raised:
        certified_cut(np.arange(150.0), 0.99, 0.95, asked=2_000, where="corpus")

    assert str(raised.value) == (
        "a recall of 0.99 needs 299 documents above the threshold, and 150 of the 2,000 that were drawn reach it "
        "(corpus). Give --recall 0.98, --certify-documents 4800, or leave --cheap out, so that every document is scored"
    )
    assert certified_cut(np.arange(150.0), 0.98, 0.95, asked=2_000) == 0
    with pytest.raises(InputError, match=r"and 0 of the 50 that were drawn reach it\. Give --certify-documents"):
        certified_cut(np.array([]), 0.9, 0.95, asked=50, where="")
