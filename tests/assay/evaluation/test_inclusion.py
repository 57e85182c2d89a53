"""Labels that were drawn with known probabilities: every figure of an evaluation is weighted by them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from assay.errors import InputError
from assay.evaluation.evaluate import evaluate
from assay.metrics import paired_bootstrap, refusals
from assay.metrics.bootstrap import bootstrap
from assay.rubric import Rubric

RUBRIC = Rubric("r", 0, 5, 3, primary_metric="spearman")


def predictions(count: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return predictions of two kinds of documents: easy ones that were drawn four times as often as hard ones."""
    rng = np.random.default_rng(seed)
    easy = rng.random(count) < 0.8
    label = rng.integers(0, 6, count).astype(float)
    score = np.where(easy, label + rng.normal(0, 0.2, count), rng.uniform(0, 5, count))
    return pd.DataFrame(
        {
            "id": [f"d{number:04}" for number in range(count)],
            "cluster": np.arange(count),
            "label": label,
            "score": score,
            "calibrated": score,
            "p_keep": 1 / (1 + np.exp(2.5 - score)),
            "grade": np.clip(np.round(score), 0, 5).astype(int),
            "keep": score >= 2.5,
            "kind": np.where(easy, "easy", "hard"),
            "inclusion": np.where(easy, 0.4, 0.1),
        }
    )


def test_weighted_figures_are_those_of_the_repeated_documents() -> None:
    table = predictions()
    hard = table[table["kind"] == "hard"]
    copies = [hard.assign(id=hard["id"] + f"-{number}") for number in range(3)]
    repeated = pd.concat([table, *copies], ignore_index=True).drop(columns="inclusion")

    weighted, plain = bootstrap(table, RUBRIC, resamples=20), bootstrap(repeated, RUBRIC, resamples=20)

    for name, interval in weighted.items():
        if name == "calibration_error":  # its bins have equal numbers of documents
            continue
        assert interval.value == pytest.approx(plain[name].value), name
    assert (
        weighted["spearman"].value < bootstrap(table.drop(columns="inclusion"), RUBRIC, resamples=2)["spearman"].value
    )


def test_an_evaluation_weighs_model_baselines_and_pairs_alike_and_says_so() -> None:
    table = predictions()
    baseline = table.drop(columns=["inclusion", "kind"])

    found = evaluate(table, RUBRIC, baselines={"length": baseline}, slice_columns={"kind": "kind"})
    unweighted = evaluate(baseline, RUBRIC)

    assert found.gains["length"]["spearman"].value == 0, "the same predictions"
    assert found.baselines["length"]["spearman"] == found.metrics["spearman"]
    assert found.metrics["precision"].low < found.metrics["precision"].value < found.metrics["precision"].high
    assert found.pairs[-1].accuracy.value < unweighted.pairs[-1].accuracy.value
    assert any("are worth" in warning and "column inclusion" in warning for warning in found.warnings)
    assert not any("column inclusion" in warning for warning in unweighted.warnings)


def test_equal_probabilities_change_no_figure() -> None:
    table = predictions()

    equal = bootstrap(table.assign(inclusion=0.3), RUBRIC, resamples=50)
    plain = bootstrap(table.drop(columns="inclusion"), RUBRIC, resamples=50)

    for name, interval in plain.items():
        if name in ("precision", "recall"):  # exact intervals know no weights
            interval = replace(interval, low=equal[name].low, high=equal[name].high)
        assert equal[name].value == pytest.approx(interval.value), name
        assert equal[name].low == pytest.approx(interval.low), name


def test_few_heavy_documents_are_no_sample() -> None:
    table = predictions(100)
    heavy = table.assign(inclusion=np.where(np.arange(100) < 5, 0.001, 1.0))

    assert refusals(table, RUBRIC) == {}
    assert "5 effective clusters" in refusals(heavy, RUBRIC)["spearman"]
    assert bootstrap(heavy, RUBRIC, resamples=20)["spearman"].low is None


def test_two_models_are_compared_with_one_set_of_weights() -> None:
    table = predictions()

    with pytest.raises(InputError, match="labels, clusters and weights"):
        paired_bootstrap(table, table.drop(columns="inclusion"), RUBRIC, resamples=2)
    assert paired_bootstrap(table, table, RUBRIC, resamples=2)["spearman"].value == 0
