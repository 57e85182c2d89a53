"""Draws with known probabilities: weighted estimates are unbiased over draws, and rare scores are found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.annotation.draw import DrawConfig, draw_documents, inclusion_of, strata_of
from assay.errors import InputError
from assay.metrics import Resampled, corpus_weights
from assay.rubric import Rubric


def corpus(count: int, seed: int = 0) -> pd.DataFrame:
    """Return documents of two sources and two languages, of which few are good, with scores that say so."""
    rng = np.random.default_rng(seed)
    quality = rng.exponential(0.9, count)
    label = np.clip(np.floor(quality), 0, 5)
    return pd.DataFrame(
        {
            "id": [f"d{number:06}" for number in range(count)],
            "source": rng.choice(["web", "books"], count, p=[0.95, 0.05]),
            "language": rng.choice(["en", "de"], count, p=[0.9, 0.1]),
            "length": np.exp(rng.normal(7, 1, count) + 0.2 * quality),
            "score": quality + rng.normal(0, 0.6, count),
            "p_keep": 1 / (1 + np.exp(3 - quality)),
            "distance": rng.random(count),
            "label": label,
        }
    )


def test_weighted_estimates_are_unbiased_over_draws() -> None:
    table = corpus(3000)
    truth = {
        "mean": table["label"].mean(),
        "good": (table["label"] >= 3).mean(),
        "books": (table["source"] == "books").mean(),
    }

    found: dict[str, list[float]] = {name: [] for name in truth}
    for seed in range(300):
        drawn = draw_documents(table, DrawConfig(200, seed=seed))
        weight = 1 / drawn["inclusion"] / len(table)
        found["mean"].append(weight @ drawn["label"])
        found["good"].append(weight @ (drawn["label"] >= 3))
        found["books"].append(weight @ (drawn["source"] == "books"))

    for name, values in found.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(truth[name], abs=4 * error), name


def test_each_document_is_drawn_as_often_as_stated() -> None:
    table = corpus(120)
    inclusion = pd.Series(inclusion_of(table, DrawConfig(30)), table["id"])
    drawn = [draw_documents(table, DrawConfig(30, seed=seed)) for seed in range(2000)]

    count = pd.concat(drawn)["id"].value_counts().reindex(table["id"]).fillna(0) / 2000

    error = np.sqrt(inclusion * (1 - inclusion) / 2000)
    # Systematic draws: documents are not independent of each other, each is within its own error.
    assert (np.abs(count - inclusion) <= 4.5 * error + 1e-9).all()


def test_metrics_of_a_draw_are_those_of_the_corpus() -> None:
    table = corpus(6000, seed=1)
    rubric = Rubric("r", 0, 5, 3)
    whole = _predictions(table)
    truth = Resampled.of(whole, rubric, resamples=2).values

    weighted, plain = [], []
    for seed in range(60):
        drawn = _predictions(draw_documents(table, DrawConfig(400, seed=seed)))
        weighted.append(Resampled.of(drawn, rubric, resamples=2).values)
        plain.append(Resampled.of(drawn.drop(columns="inclusion"), rubric, resamples=2).values)

    for name in ("precision", "recall", "average_precision", "qwk", "mae", "brier", "spearman"):
        found, ignored = (np.array([values[name] for values in each]) for each in (weighted, plain))
        error = found.std(ddof=1) / np.sqrt(len(found))
        # A ratio is biased by the order of 1 / n.
        assert found.mean() == pytest.approx(truth[name], abs=4 * error + 0.005), name
        if name in ("precision", "average_precision", "mae", "brier"):
            assert abs(ignored.mean() - truth[name]) > 3 * abs(found.mean() - truth[name]), name


def _predictions(table: pd.DataFrame) -> pd.DataFrame:
    grade = np.clip(np.round(table["score"]), 0, 5).astype(int)
    found = table.assign(
        cluster=np.arange(len(table)), calibrated=table["score"], grade=grade, keep=table["score"] >= 2.5
    )
    kept = ["id", "cluster", "label", "score", "calibrated", "p_keep", "grade", "keep"]
    return found[[*kept, *(["inclusion"] if "inclusion" in found else [])]]


def test_rare_scores_are_found() -> None:
    table = corpus(20_000, seed=2)
    good = (table["label"] >= 4).mean()

    drawn, more = (draw_documents(table, DrawConfig(500, uniform=share)) for share in (0.5, 0.1))

    assert (drawn["label"] >= 4).mean() > 2 * good
    assert (more["label"] >= 4).mean() > 3.5 * good
    assert (drawn["source"] == "books").mean() > 0.05


def test_without_a_model_small_strata_get_more_than_their_share() -> None:
    table = corpus(5000)[["id", "source", "language", "length"]]

    drawn = draw_documents(table, DrawConfig(500))

    assert (drawn["source"] == "books").mean() > 0.08
    assert len(drawn) == 500


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 200),
    documents=st.integers(1, 250),
    uniform=st.floats(0.05, 1),
    columns=st.sets(st.sampled_from(["source", "language", "length", "score", "p_keep", "distance"])),
)
def test_a_draw_has_its_size_and_a_bounded_weight(
    seed: int, count: int, documents: int, uniform: float, columns: set[str]
) -> None:
    table = corpus(count, seed)[["id", *sorted(columns)]]
    config = DrawConfig(documents, uniform=uniform, seed=seed)

    drawn = draw_documents(table, config)

    assert len(drawn) == min(count, documents)
    assert drawn["id"].is_unique
    assert drawn["inclusion"].between(uniform * min(documents / count, 1) * 0.999999, 1).all()
    shuffled = draw_documents(table.sample(frac=1, random_state=seed), config)
    pd.testing.assert_frame_equal(drawn, shuffled)


def test_equal_aims_are_a_random_sample() -> None:
    table = corpus(1000)[["id"]]

    assert inclusion_of(table, DrawConfig(100)) == pytest.approx(np.full(1000, 0.1))
    assert set(strata_of(table)) == {""}


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, float("nan"), "high"])
def test_what_is_no_probability_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="no probability above 0"):
        corpus_weights(pd.DataFrame({"inclusion": pd.Series([0.5, value], dtype=object)}))


def test_bad_requests_are_named() -> None:
    table = corpus(10)

    with pytest.raises(InputError, match="uniform is 0"):
        DrawConfig(5, uniform=0)
    with pytest.raises(InputError, match="occurs twice"):
        draw_documents(pd.concat([table, table]), DrawConfig(5))
    with pytest.raises(InputError, match="no document to draw from"):
        draw_documents(table[:0], DrawConfig(5))
    with pytest.raises(InputError, match="'score' is missing"):
        draw_documents(table.assign(score=np.nan), DrawConfig(5))
