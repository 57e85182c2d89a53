"""Cuts for a target: exact counts, promises that hold in simulation, and refusals if the data cannot promise."""

import json

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
