"""Raters: the reliability of planted ones is found, and so is the correlation that their noise hides."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from assay.cli.main import main
from assay.errors import InputError
from assay.metrics import Raters, measure_raters
from assay.metrics.raters import _icc
from assay.storage import parse_record


def rated(n: int, raters: int, noise: float, *, missing: float = 0.0, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """True quality with variance 1, and ratings with `noise` variance on top."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, 1, n)
    table = truth[:, None] + generator.normal(0, np.sqrt(noise), (n, raters))
    table[generator.random(table.shape) < missing] = np.nan
    return truth, pd.DataFrame(table, columns=[f"r{place}" for place in range(raters)])


@pytest.mark.parametrize(("raters", "missing"), [(2, 0.0), (3, 0.3), (5, 0.4)])
def test_planted_reliability_is_found(raters: int, missing: float) -> None:
    _, table = rated(4000, raters, 0.5, missing=missing)

    found = measure_raters(table, resamples=100)

    assert found.one.value == pytest.approx(1 / 1.5, abs=0.03)
    assert found.one.low < found.one.value < found.one.high
    k = found.ratings
    assert found.mean.value == pytest.approx(1 / (1 + 0.5 / k), abs=0.03)
    assert found.ceiling.value == pytest.approx(np.sqrt(found.mean.value))
    assert len(found.pairs) == raters * (raters - 1) // 2


def test_the_correlation_without_noise_is_that_with_the_truth() -> None:
    truth, table = rated(5000, 2, 1.0)
    score = truth + np.random.default_rng(1).normal(0, 0.7, len(truth))
    label = table.mean(axis=1).to_numpy()
    expected = pd.Series(score).corr(pd.Series(truth), method="spearman")
    seen = pd.Series(score).corr(pd.Series(label), method="spearman")

    found = measure_raters(table, scores=score, labels=label, resamples=100)

    assert seen < expected - 0.1
    assert found.corrected.low - 0.02 < expected < found.corrected.high + 0.02


@given(st.integers(2, 6), st.integers(0, 10_000))
@settings(max_examples=20)
def test_for_complete_ratings_it_is_the_icc_of_the_textbooks(raters: int, seed: int) -> None:
    _, table = rated(30, raters, 0.8, seed=seed)
    values = table.to_numpy()
    between = raters * values.mean(axis=1).var(ddof=1)
    within = values.var(axis=1, ddof=1).mean()
    expected = (between - within) / (between + (raters - 1) * within)

    found = _icc(values, np.isfinite(values), np.full(30, float(raters)), np.ones(30))

    assert found == pytest.approx(expected)


def test_a_document_that_counts_twice_is_two_documents() -> None:
    values = rated(40, 3, 0.8, missing=0.2)[1].to_numpy()
    values = values[np.isfinite(values).sum(axis=1) >= 2]
    weight = np.arange(len(values)) % 3
    repeated = np.repeat(values, weight, axis=0)

    weighted, listed = (
        _icc(table, np.isfinite(table), np.isfinite(table).sum(axis=1).astype(float), counts.astype(float))
        for table, counts in ((values, weight), (repeated, np.ones(len(repeated))))
    )

    assert weighted == pytest.approx(listed)


def test_pairs_are_those_of_the_libraries_and_strictness_is_noise() -> None:
    generator = np.random.default_rng(0)
    one = generator.integers(0, 6, 200).astype(float)
    other = np.clip(one + generator.integers(-1, 2, 200), 0, 5)
    other[:20] = np.nan

    found = measure_raters(pd.DataFrame({"a": one, "b": other}), resamples=50)

    (pair,) = found.pairs
    assert pair.documents == found.documents == 180
    assert pair.qwk.value == pytest.approx(cohen_kappa_score(one[20:], other[20:], weights="quadratic"))
    assert pair.spearman.value == pytest.approx(pd.Series(one[20:]).corr(pd.Series(other[20:]), method="spearman"))
    stricter = measure_raters(pd.DataFrame({"a": one, "b": one - 3}), resamples=50)
    assert stricter.pairs[0].spearman.value == pytest.approx(1)
    assert stricter.one.value < 0.5


def test_it_survives_json_and_states_what_the_figures_do_not_cover() -> None:
    truth, table = rated(80, 2, 0.5)
    found = measure_raters(table, scores=truth, labels=table.mean(axis=1), resamples=50)

    assert parse_record(Raters, json.loads(json.dumps(asdict(found), allow_nan=False)), what="raters") == found
    assert "do not cover an error that all raters share" in found.sentences()[-1]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (rated(49, 2, 0.5)[1], "49 of 49 documents.*at least 50"),
        (rated(80, 1, 0.5)[1], "agreement needs two raters"),
        (pd.DataFrame({"a": [3.0] * 60, "b": [3.0] * 60}), "all ratings are 3"),
        (rated(80, 2, 0.5)[1].assign(r1=np.nan), "0 of 80 documents"),
    ],
)
def test_too_little_is_refused(table: pd.DataFrame, says: str) -> None:
    with pytest.raises(InputError, match=says):
        measure_raters(table)


def test_independent_ratings_have_no_ceiling() -> None:
    generator = np.random.default_rng(5)
    found = measure_raters(pd.DataFrame(generator.permuted(np.tile(np.arange(6.0), (100, 1)), axis=1)[:, :2]))

    assert found.one.value < 0.2
    assert found.mean.value is None or found.mean.value < 0.4


@pytest.mark.full
def test_the_command_accepts_columns_of_raters(
    tiny_model: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame(sample[240:360]).assign(gone=np.where(np.arange(120) < 60, 3.0, np.nan), odd=99)
    rows.to_parquet(tmp_path / "d.parquet", index=False)
    command = ["evaluate", "--model", str(tiny_model), "--data", str(tmp_path / "d.parquet"), "--rater-columns"]

    assert main([*command, "rater_1,rater_2", "--output", str(tmp_path / "a.json")]) == 0
    fields, page = json.loads((tmp_path / "a.json").read_text()), (tmp_path / "a.html").read_text()
    assert fields["raters"]["pairs"][0]["qwk"]["value"] > 0.9
    assert fields["raters"]["corrected"]["value"] is not None
    assert "Agreement of the raters" in page
    assert "liking for long texts" in page

    pd.read_parquet(tmp_path / "d.parquet")[:45].to_parquet(tmp_path / "few.parquet", index=False)
    few = [part if part != str(tmp_path / "d.parquet") else str(tmp_path / "few.parquet") for part in command]
    assert main([*few, "rater_1,rater_2", "--output", str(tmp_path / "b.json")]) == 0
    fields = json.loads((tmp_path / "b.json").read_text())
    assert fields["raters"] is None
    assert any("45 of 45 documents have two ratings" in said for said in fields["warnings"])

    for columns, says in (
        ("rater_1,no", "no column 'no' of a rater"),
        ("rater_1", "agreement needs two raters"),
        ("rater_1,odd", "99 is not a rating on the scale 0 to 5 (column 'odd')"),
        ("rater_1,genre", "is not a rating"),
    ):
        assert main([*command, columns, "--output", str(tmp_path / "c.json")]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()
