"""Intervals have their nominal coverage, clusters are respected, and planted faults give warnings."""

import numpy as np
import pandas as pd
import pytest

from assay.errors import InputError
from assay.evaluation import Evaluation
from assay.evaluation.evaluate import evaluate
from assay.metrics import Difference, Interval, Outcomes, Predictions, Resampled, measure, paired_bootstrap, refusals
from assay.metrics.bootstrap import bootstrap
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def predictions_of(
    generator: np.random.Generator, clusters: int, *, size: int = 1, noise: float = 1.0, score: np.ndarray | None = None
) -> pd.DataFrame:
    """`size` near-copies a cluster, which share label and nearly the score."""
    n = clusters * size
    cluster = np.repeat(np.arange(clusters), size)
    label = generator.integers(0, 6, clusters)[cluster].astype(float)
    if score is None:
        score = label + generator.normal(0, noise, clusters)[cluster] + generator.normal(0, 1e-3, n)
    return Predictions.validate(
        pd.DataFrame(
            {
                "id": [f"d{i}" for i in range(n)],
                "cluster": cluster,
                "label": label,
                "score": score,
                "calibrated": np.clip(score, 0, 5),
                "p_keep": 1 / (1 + np.exp(-(score - 2.5))),
                "grade": np.clip(np.round(score), 0, 5).astype(int),
                "keep": score >= 2.5,
            }
        )
    )


@pytest.mark.full
def test_a_95_percent_interval_covers_the_truth_about_as_often_also_with_clusters() -> None:
    truth = bootstrap(predictions_of(np.random.default_rng(99), 60_000), RUBRIC, resamples=2)
    names = ("precision", "recall", "f1", "spearman", "mae")
    covered, blind = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    runs = 120
    for seed in range(runs):
        table = predictions_of(np.random.default_rng(seed), 60, size=4)
        respected = bootstrap(table, RUBRIC, resamples=200, seed=seed)
        ignored = bootstrap(table.assign(cluster=range(len(table))), RUBRIC, resamples=200, seed=seed)
        for name in names:
            covered[name] += respected[name].low <= truth[name].value <= respected[name].high
            blind[name] += ignored[name].low <= truth[name].value <= ignored[name].high

    for name in names:
        assert 0.87 <= covered[name] / runs <= 1.0, name
        assert blind[name] / runs <= 0.8, name


@pytest.mark.full
def test_with_200_clusters_a_95_percent_interval_covers_the_truth_in_90_to_98_percent_of_samples() -> None:
    large = Outcomes.of(predictions_of(np.random.default_rng(99), 300_000), RUBRIC)
    truth, runs = measure(large), 200
    covered = dict.fromkeys(("precision", "recall", "f1", "spearman", "mae"), 0)
    for run in range(runs):
        table = predictions_of(np.random.default_rng(20_000 + run), 200, size=2)
        intervals = bootstrap(table, RUBRIC, resamples=200, seed=run)
        for name in covered:
            covered[name] += intervals[name].low <= truth[name] <= intervals[name].high

    for name, count in covered.items():
        assert 0.90 <= count / runs <= 0.98, name


def test_a_paired_comparison_finds_a_difference_that_two_intervals_hide() -> None:
    generator = np.random.default_rng(0)
    better = predictions_of(generator, 300, noise=1.2)
    worse = better.assign(score=better["score"] + generator.normal(0, 0.6, 300))

    difference = paired_bootstrap(better, worse, RUBRIC)["spearman"]
    one, other = bootstrap(better, RUBRIC)["spearman"], bootstrap(worse, RUBRIC)["spearman"]

    assert difference.low > 0
    assert difference.p_better > 0.99
    assert other.high > one.low
    backwards = paired_bootstrap(worse, better, RUBRIC)["spearman"]
    assert backwards.value == pytest.approx(-difference.value)


def test_a_lower_error_is_a_gain_and_equal_models_are_a_tie() -> None:
    table = predictions_of(np.random.default_rng(0), 100)
    wrong = table.assign(calibrated=5 - table["calibrated"])

    assert paired_bootstrap(table, wrong, RUBRIC)["mae"].low > 0
    same = paired_bootstrap(table, table, RUBRIC)["f1"]
    assert (same.value, same.p_better) == (0, 0.5)


def test_other_documents_cannot_be_compared() -> None:
    table = predictions_of(np.random.default_rng(0), 50)
    with pytest.raises(InputError, match="same documents"):
        paired_bootstrap(table, table.assign(label=table["label"][::-1].to_numpy()), RUBRIC)
    with pytest.raises(InputError, match="same documents"):
        paired_bootstrap(table, table.iloc[1:], RUBRIC)


def test_too_few_clusters_or_positives_get_no_interval() -> None:
    few = bootstrap(predictions_of(np.random.default_rng(0), 49, size=10), RUBRIC)
    assert few["f1"].value is not None
    assert few["f1"].low is None

    table = predictions_of(np.random.default_rng(0), 100)
    rare = table.assign(label=np.where(np.arange(100) < 4, 4.0, 1.0))
    intervals = bootstrap(rare, RUBRIC)
    assert intervals["recall"].low is None
    assert intervals["mae"].low is not None


@pytest.mark.parametrize(
    ("kept", "size"), [(5, 1), (120, 20), *(pytest.param(20, size, marks=pytest.mark.full) for size in (1, 5))]
)
def test_the_interval_of_a_precision_covers_it_however_few_documents_are_kept(kept: int, size: int) -> None:
    def drawn(generator: np.random.Generator, clusters: int, each: int) -> pd.DataFrame:
        quality, error = (
            np.repeat(generator.normal(size=clusters), each) * 0.5 + generator.normal(size=clusters * each) * 0.87
            for _ in range(2)
        )
        table = predictions_of(generator, clusters, size=each, score=quality + 1.5 * error)
        return table.assign(label=np.where(quality > 0.5, 4.0, 1.0))

    large = drawn(np.random.default_rng(99), 200_000, 1)
    cut = np.sort(large["score"])[-int(200_000 * kept / 1_000)]
    truth = (large.loc[large["score"] >= cut, "label"] >= 3).mean()
    covered = given = 0
    for seed in range(150):
        table = drawn(np.random.default_rng(seed), 1_000 // size, size)
        table["keep"] = table["score"] >= cut
        found = Resampled.of(table, RUBRIC, resamples=3, seed=seed, metrics=["precision"]).intervals()["precision"]
        if found.low is None or found.high is None:
            continue
        given += 1
        covered += found.low <= truth <= found.high
        assert found.high - found.low > 0.05
    assert given >= 60
    # 95 % of the draws, less three standard errors. The bootstrap alone covered 41 % with 5 kept documents.
    assert covered / given >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / given)


def test_every_missing_interval_has_its_reason() -> None:
    table = predictions_of(np.random.default_rng(0), 200)
    rare = table.assign(label=np.where(np.arange(200) < 7, 4.0, 1.0))
    strict = table.assign(keep=np.arange(200) < 4)
    lopsided = table.assign(cluster=np.r_[np.arange(60), np.full(140, 60)])

    assert refusals(table, RUBRIC) == {}
    assert (
        "7 effective clusters of documents that reach the threshold; an interval needs 8"
        in evaluate(rare, RUBRIC).warnings[0]
    )
    found = evaluate(strict, RUBRIC)
    assert found.warnings[0] == (
        "No interval for F1, precision: 4 effective clusters of kept documents; an interval needs 5."
    )
    assert (found.metrics["precision"].low, found.metrics["f1"].low) == (None, None)
    assert found.metrics["recall"].low is not None
    found = evaluate(lopsided, RUBRIC)
    assert "too few for intervals: 2 effective clusters; an interval needs 50 (61 clusters" in found.warnings[0]
    assert all(interval.low is None for interval in found.metrics.values())
    some = table.assign(label=np.where(np.arange(200) < 12, 4.0, 1.0))
    assert any("covers about 90 % instead of 95 %: it rests on 12" in text for text in evaluate(some, RUBRIC).warnings)


def test_a_model_that_knows_only_length_gets_a_warning_that_it_does_not_beat_length() -> None:
    generator = np.random.default_rng(0)
    length = generator.normal(0, 1, 200)
    table = predictions_of(generator, 200)
    table["label"] = np.clip(np.round(2.5 + length), 0, 5)
    by_length = table.assign(score=length, keep=length > 0.5)
    knows_length = by_length.assign(score=length + generator.normal(0, 0.01, 200))

    found = evaluate(knows_length, RUBRIC, baselines={"length": by_length})

    assert any("than document length" in warning for warning in found.warnings)

    reads = predictions_of(generator, 200, noise=0.3)
    honest = evaluate(reads, RUBRIC, baselines={"length": reads.assign(score=length, keep=length > 0.5)})
    assert not any("document length" in warning for warning in honest.warnings)


def test_wide_intervals_and_unread_text_give_warnings_and_small_slices_no_figures() -> None:
    table = predictions_of(np.random.default_rng(0), 90)
    table["kind"] = ["long"] * 50 + ["rare"] * 10 + [None] * 30

    found = evaluate(table, RUBRIC, slice_columns={"kind": "page kind"}, read=0.4)

    assert any("intervals are wide" in warning and "90 test documents" in warning for warning in found.warnings)
    assert any("read 40%" in warning for warning in found.warnings)
    assert {part.value: bool(part.metrics) for part in found.slices} == {"long": True, "rare": False}
    assert isinstance(found, Evaluation)
    assert found.flat()["test/f1"] == found.metrics["f1"].value


def test_figures_in_words() -> None:
    assert Interval(0.714, 0.62, 0.791).in_words() == "0.71 (0.62 to 0.79)"
    assert Interval(-0.001, -0.004, 0.2).in_words() == "0.00 (0.00 to 0.20)"
    assert Interval(0.714, None, None).in_words() == "0.71"
    assert Interval(None, None, None).in_words() == "undefined"
    assert Difference(0.0311, -0.0021, 0.064, 0.9).in_words() == "+0.031 (-0.002 to +0.064)"
    assert Difference(-0.5, None, None, None).in_words() == "-0.500"
    assert Difference(None, None, None, None).in_words() == "undefined"
