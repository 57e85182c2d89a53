"""How far the labels of a kind of documents lie off what their scores say, and what of it is chance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics.slices import shrink, slices
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def table(offsets: dict[str, float], each: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    kind = np.repeat(list(offsets), each)
    expected = random.uniform(1, 4, len(kind))
    label = expected + np.array([offsets[name] for name in kind]) + random.normal(0, 0.8, len(kind))
    return pd.DataFrame(
        {
            "id": [f"{row:05}" for row in range(len(kind))],
            "cluster": np.arange(len(kind)),
            "label": label,
            "score": expected,
            "calibrated": expected,
            "p_keep": 0.5,
            "grade": 2,
            "keep": expected > 3,
            "kind": kind,
        }
    )


def test_a_kind_that_is_off_is_found_and_chance_is_not() -> None:
    off = {part.value: part for part in slices(table({"a": 0.0, "b": 1.0, "c": 0.0}, 300), "kind", "kind", RUBRIC)}
    assert off["b"].offset == pytest.approx(1, abs=0.15)
    assert off["b"].shrunk == pytest.approx(off["b"].offset, abs=0.05)

    alike = slices(table(dict.fromkeys("abcdef", 0.3), 25, seed=1), "kind", "kind", RUBRIC)
    spread = np.std([part.offset for part in alike])
    assert np.std([part.shrunk for part in alike]) < 0.5 * spread


def test_shrinking_is_nearer_to_the_truth() -> None:
    random, worse = np.random.default_rng(0), 0
    for _ in range(200):
        truth, error = random.normal(0, 0.3, 8), random.uniform(0.1, 0.5, 8)
        seen = truth + error * random.normal(size=8)
        worse += ((shrink(seen, error) - truth) ** 2).sum() > ((seen - truth) ** 2).sum()
    assert worse < 40


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=2, max_size=12), st.floats(-2, 2))
def test_shrinking_keeps_the_order_of_equal_errors_and_moves_with_the_values(
    parts: list[tuple[float, float]], shift: float
) -> None:
    value, error = np.array(parts).T
    drawn = shrink(value, error)

    assert drawn.min() >= value.min() - 1e-9
    assert drawn.max() <= value.max() + 1e-9
    np.testing.assert_allclose(shrink(value + shift, error), drawn + shift, atol=1e-6)
    equal = shrink(value, np.full(len(value), 0.5))
    assert (np.diff(equal[np.argsort(value, kind="stable")]) >= -1e-9).all()


def test_small_slices_have_no_offset_and_a_cluster_is_one_observation() -> None:
    small = slices(table({"a": 0.0, "b": 0.0}, 10), "kind", "kind", RUBRIC)
    assert [part.offset for part in small] == [None, None]

    whole = table({"a": 0.0, "b": 0.5}, 200)
    copies = whole.assign(cluster=np.where(whole["kind"] == "b", 10_000 + whole.index // 100, whole["cluster"]))
    alone, together = (slices(each, "kind", "kind", RUBRIC)[1] for each in (whole, copies))
    assert alone.offset == together.offset
    assert abs(together.shrunk - together.offset) > abs(alone.shrunk - alone.offset), "two clusters say less than 200"
