"""Cuts for a target: exact counts, promises that hold in simulation, and refusals if the data cannot promise."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.model import Calibration, KeepTarget
from assay.model.thresholds import ThresholdCurve
from assay.storage import parse_json


def drawn(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and whether the label reaches the threshold: the higher the score, the likelier."""
    scores = generator.normal(size=n)
    return scores, generator.random(n) < 1 / (1 + np.exp(2.5 - 2 * scores))


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 60))
    scores = np.array(draw(st.lists(st.integers(-8, 8), min_size=n, max_size=n)), dtype=float)
    reaches = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    reaches[0], reaches[1] = True, False
    return scores, reaches


@settings(max_examples=100, deadline=None)
@given(tables())
def test_every_point_counts_what_its_cut_keeps(table: tuple[np.ndarray, np.ndarray]) -> None:
    scores, reaches = table
    curve = ThresholdCurve.of(scores, reaches)

    for cut, kept, right in zip(curve.cuts, curve.kept, curve.right, strict=True):
        assert (scores >= cut).sum() == kept
        assert (reaches & (scores >= cut)).sum() == right
    assert len(curve.cuts) == len(np.unique(scores))
    assert curve.kept[-1] == curve.documents
    assert parse_json(ThresholdCurve, json.dumps(curve.to_json(), allow_nan=False), what="it") == curve


@settings(max_examples=100, deadline=None)
@given(tables(), st.sampled_from([0.25, 0.5, 0.8, 1.0]))
def test_a_measured_target_gives_the_best_cut(table: tuple[np.ndarray, np.ndarray], value: float) -> None:
    scores, reaches = table
    curve = ThresholdCurve.of(scores, reaches)
    points = [curve.at(number) for number in range(len(curve.cuts))]

    found = curve.choose(KeepTarget("recall", value, promised=False))
    assert found.recall >= value - 1e-9
    assert all(point.share >= found.share for point in points if point.recall >= value - 1e-9)

    f1 = [2 * p.recall * p.precision / max(p.recall + p.precision, 1e-9) for p in points]
    best = curve.choose(KeepTarget("f1"))
    assert 2 * best.recall * best.precision / max(best.recall + best.precision, 1e-9) == pytest.approx(max(f1))

    allowed = [point for point in points if point.precision >= value]
    target = KeepTarget("precision", value, promised=False)
    if allowed:
        assert curve.choose(target).share == max(point.share for point in allowed)
    else:
        with pytest.raises(InputError, match="no cut has a precision"):
            curve.choose(target)


def test_a_share_is_met_as_nearly_as_ties_allow() -> None:
    scores = np.array([5.0, 4, 4, 4, 3, 2, 1, 1, 1, 0])
    curve = ThresholdCurve.of(scores, scores >= 4)

    assert curve.choose(KeepTarget("share", 0.1)).share == 0.1
    assert curve.choose(KeepTarget("share", 0.2)).share == 0.1
    assert curve.choose(KeepTarget("share", 0.3)).share == 0.4
    assert curve.choose(KeepTarget("share", 1.0)).share == 1.0


def test_a_curve_has_at_most_400_points_with_all_of_the_rare_top() -> None:
    scores, reaches = drawn(np.random.default_rng(0), 50_000)

    curve = ThresholdCurve.of(scores, reaches)

    assert 200 < len(curve.cuts) <= 400
    assert curve.kept[:3] == (1, 2, 3)
    assert np.diff(curve.kept).max() <= 50_000 / 190
    assert curve.choose(KeepTarget("share", 0.07)).share == pytest.approx(0.07, abs=0.003)


@pytest.mark.parametrize(
    ("target", "documents"), [("recall=0.9", 400), ("recall=0.6", 400), ("precision=0.6", 400), ("precision=0.7", 1000)]
)
def test_a_promise_holds_on_other_documents_in_95_of_100_samples(target: str, documents: int) -> None:
    generator = np.random.default_rng(7)
    everybody, truth = drawn(generator, 200_000)
    order = np.argsort(everybody)
    everybody, above = everybody[order], np.cumsum(truth[order][::-1])[::-1]  # positives from each score on
    broken = refused = 0
    samples = 400
    for _ in range(samples):
        scores, reaches = drawn(generator, documents)
        try:
            cut = ThresholdCurve.of(scores, reaches).choose(KeepTarget.parse(target)).score
        except InputError:
            refused += 1
            continue
        assert cut is not None
        first = int(np.searchsorted(everybody, cut))
        right, kept = (above[first] if first < len(above) else 0), len(everybody) - first
        reached = right / truth.sum() if target.startswith("recall") else right / max(kept, 1)
        broken += reached < float(target.partition("=")[2])
    # 20 of 400 are allowed on average; a rate of 5 % gives more than 31 in 1 of 100 experiments.
    assert broken <= 31
    assert refused < samples / 2


def test_too_few_documents_are_refused_with_the_number_that_suffices() -> None:
    scores, reaches = drawn(np.random.default_rng(1), 60)
    curve = ThresholdCurve.of(scores, reaches)

    with pytest.raises(InputError, match=r"cannot promise a recall of 0\.9.*Label until 29 reach it"):
        curve.choose(KeepTarget("recall", 0.9))
    with pytest.raises(InputError, match=r"no cut has a precision of 0\.95 with 95 % confidence"):
        curve.choose(KeepTarget("precision", 0.95))
    assert curve.choose(KeepTarget.parse("recall~0.9")).recall >= 0.9


def grouped(
    generator: np.random.Generator, n: int, size: int, common: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and clusters of `size` documents, which share a part of quality and of the score's error."""
    cluster = np.arange(n) // size
    quality, error = (
        np.sqrt(common) * generator.normal(size=cluster[-1] + 1)[cluster]
        + np.sqrt(1 - common) * generator.normal(size=n)
        for _ in range(2)
    )
    return quality + 0.6 * error, quality > 0.52, cluster


@pytest.mark.parametrize("target", ["precision=0.8", "recall=0.9"])
def test_a_promise_holds_for_documents_that_come_in_groups(target: str) -> None:
    generator, aim = np.random.default_rng(5), KeepTarget.parse(target)
    everybody, truth, _ = grouped(generator, 300_000, 1, 0)
    order = np.argsort(everybody)
    everybody, above = everybody[order], np.cumsum(truth[order][::-1])[::-1]
    broken, shares, samples = 0, [], 150
    for _ in range(samples):
        scores, reaches, clusters = grouped(generator, 2_000, 20, 0.3)
        try:
            cut = ThresholdCurve.of(scores, reaches, clusters).choose(aim)
        except InputError as error:
            assert "abels" in str(error) or "documents like these" in str(error)
            continue
        first = int(np.searchsorted(everybody, cut.score))
        reached = above[first] / (truth.sum() if aim.aim == "recall" else len(everybody) - first)
        broken += reached < aim.value
        shares.append(cut.share)
    # 7.5 of 150 are allowed on average; a rate of 5 % gives more than 13 in 1 of 100 experiments. Before clusters were
    # counted, 10 % and more were broken. The cuts are not far from those of independent documents, either.
    assert broken <= 13
    assert len(shares) > samples / 2
    assert np.mean(shares) > 0.17 if aim.aim == "precision" else np.mean(shares) < 0.55


def test_copies_promise_no_more_than_their_originals() -> None:
    scores, reaches = drawn(np.random.default_rng(3), 400)
    clusters = np.arange(400)
    once = ThresholdCurve.of(scores, reaches, clusters)
    tenfold = ThresholdCurve.of(np.repeat(scores, 10), np.repeat(reaches, 10), np.repeat(clusters, 10))

    assert once == ThresholdCurve.of(scores, reaches)
    for name in ("recall=0.9", "precision=0.6"):
        one, many = (curve.choose(KeepTarget.parse(name)) for curve in (once, tenfold))
        assert many.share == pytest.approx(one.share, abs=0.03)
        for interval in ("precision_interval", "recall_interval"):
            assert getattr(many, interval) == pytest.approx(getattr(one, interval), abs=0.03)
    few = ThresholdCurve.of(np.repeat(scores[:60], 10), np.repeat(reaches[:60], 10), np.repeat(clusters[:60], 10))
    with pytest.raises(
        InputError, match=r"worth \d+ independent ones, cannot promise a recall of 0\.9.*29 independent"
    ):
        few.choose(KeepTarget("recall", 0.9))
    assert parse_json(ThresholdCurve, json.dumps(tenfold.to_json(), allow_nan=False), what="it") == tenfold


def test_a_refused_precision_names_a_number_of_labels_that_mostly_does() -> None:
    generator, wanted, met, asked = np.random.default_rng(9), KeepTarget("precision", 0.7), 0, 0
    for _ in range(60):
        try:
            ThresholdCurve.of(*drawn(generator, 150)).choose(wanted)
        except InputError as error:
            found = re.search(r"Label about ([\d,]+) documents like these", str(error))
            if found is None:
                continue
            asked += 1
            try:
                ThresholdCurve.of(*drawn(generator, int(found[1].replace(",", "")))).choose(wanted)
            except InputError:
                continue
            met += 1
    assert asked >= 10
    assert met >= asked / 2


def test_scores_of_other_models_promise_nothing() -> None:
    curve = ThresholdCurve.of(*drawn(np.random.default_rng(0), 900), cross_fitted=True)

    for text in ("recall=0.5", "precision=0.3"):
        with pytest.raises(InputError, match=rf"other models cannot promise {text}.*Give {text.replace('=', '~')}"):
            curve.choose(KeepTarget.parse(text))
        curve.choose(KeepTarget.parse(text.replace("=", "~")))
    assert parse_json(ThresholdCurve, json.dumps(curve.to_json()), what="it").cross_fitted


@pytest.mark.parametrize("text", ["labels", "f1", "share=0.1", "precision=0.8", "recall=0.9", "recall~0.9"])
def test_a_parsed_target_is_spelled_as_before(text: str) -> None:
    assert str(KeepTarget.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "best", "f1=0.5", "share", "share=", "recall=x", "share=0", "share=2", "recall=1"]
)
def test_texts_that_are_no_target_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        KeepTarget.parse(text)


def test_a_calibration_cuts_for_its_target_and_keeps_the_curve() -> None:
    scores, reaches = drawn(np.random.default_rng(2), 500)
    labels = np.where(reaches, 4.0, 1.0)

    few, many = (
        Calibration.fit(scores, labels, low=0, high=5, threshold=3, keep=KeepTarget("share", share))
        for share in (0.05, 0.4)
    )

    assert few.apply(scores).keep.mean() == pytest.approx(0.05, abs=0.002)
    assert many.apply(scores).keep.mean() == pytest.approx(0.4, abs=0.002)
    assert (few.target, many.target) == ("share=0.05", "share=0.4")
    assert few.curve == many.curve
    assert few.grade_cuts == many.grade_cuts
    assert few.curve is not None
    assert parse_json(Calibration, json.dumps(few.to_json()), what="it") == few
