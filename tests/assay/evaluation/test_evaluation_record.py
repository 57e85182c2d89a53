"""The record of an evaluation: it survives JSON, its curves equal those of scikit-learn, its errors are the worst."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_curve

from assay.errors import InputError
from assay.evaluation import Evaluation, summary_table
from assay.evaluation.evaluate import evaluate
from assay.metrics import Curves, Outcomes, Predictions
from assay.metrics.bootstrap import bootstrap
from assay.rubric import Rubric, load_rubric
from assay.storage import parse_record

RUBRIC = load_rubric("education")


def read(fields: dict) -> Evaluation:
    return parse_record(Evaluation, fields, what="this evaluation")


def table_of(n: int, *, noise: float = 1.0, ties: bool = False, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 6, n).astype(float)
    score = label + generator.normal(0, noise, n)
    score = np.round(score) if ties else score
    return Predictions.validate(
        pd.DataFrame(
            {
                "id": [f"d{i}" for i in range(n)],
                "cluster": np.arange(n),
                "label": label,
                "score": score,
                "calibrated": np.clip(score, 0, 5),
                "p_keep": 1 / (1 + np.exp(-(score - 2.5))),
                "grade": np.clip(np.round(score), 0, 5).astype(int),
                "keep": score >= 2.5,
                "kind": ["long", "long", "short"] * (n // 3) + ["rare"] * (n % 3),
            }
        )
    )


def perfect(n: int) -> pd.DataFrame:
    table = table_of(n)
    label = table["label"]
    return table.assign(
        score=label, calibrated=label, p_keep=(label >= 3).astype(float), grade=label.astype(int), keep=label >= 3
    )


def test_an_evaluation_survives_json_with_further_fields_in_the_file() -> None:
    table = table_of(200)
    found = evaluate(table, RUBRIC, baselines={"length": table.assign(score=0.0)}, slice_columns={"kind": "page kind"})

    text = json.dumps({**found.to_json(), "source": "labels.parquet"}, allow_nan=False)

    assert read(json.loads(text)) == found


def test_an_evaluation_without_curves_and_counts_is_still_read() -> None:
    fields = evaluate(table_of(60), RUBRIC).to_json()
    del fields["curves"], fields["errors"]
    for interval in fields["metrics"].values():
        del interval["n"], interval["undefined_share"]

    assert read(fields).curves is None


def test_an_evaluation_without_optional_fields_is_read() -> None:
    whole = evaluate(table_of(60), RUBRIC).to_json()
    fields = {name: whole[name] for name in ("rubric", "documents", "clusters", "positive", "metrics")}

    bare = read({**fields, "raters": None, "errors": None})

    assert (bare.raters, bare.curves, bare.errors, bare.gates, bare.read) == (None, None, None, [], 1.0)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({}, "this evaluation cannot be read: rubric: field required"),
        ({"rubric": 3, "metrics": {}}, "cannot be read: rubric: "),
        ({"documents": 5}, "cannot be read: rubric: field required"),
        ({"rubric": {"name": "x", "low": 5, "high": 0, "threshold": 1}}, "the scale 5 to 0 has no room"),
    ],
)
def test_something_else_is_refused(broken: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(broken)


def test_a_figure_with_an_unknown_field_is_refused() -> None:
    fields = evaluate(table_of(60), RUBRIC).to_json()
    fields["metrics"]["f1"]["median"] = 0.5

    with pytest.raises(InputError, match=r"metrics\.f1\.median: unexpected keyword argument"):
        read(fields)


@pytest.mark.parametrize("ties", [False, True])
def test_the_precision_recall_curve_and_the_confusion_matrix_are_those_of_scikit_learn(ties: bool) -> None:
    table = table_of(150, ties=ties)

    curves = Curves.of(Outcomes.of(table, RUBRIC))

    precision, recall, _ = precision_recall_curve(table["label"] >= 3, table["score"])
    # Theirs ends with a point (0, 1) that no score has.
    np.testing.assert_allclose(curves.recall, recall[:-1][::-1])
    np.testing.assert_allclose(curves.precision, precision[:-1][::-1])
    expected = confusion_matrix(table["label"].astype(int), table["grade"], labels=range(6))
    assert curves.confusion == expected.tolist()


def test_curves_are_short_and_empty_if_undefined() -> None:
    table = table_of(3000)
    curves = Curves.of(Outcomes.of(table, RUBRIC))
    assert len(curves.recall) == len(curves.precision) == 200
    assert curves.recall[-1] == 1
    assert all(
        low <= share <= high
        for low, share, high in zip(curves.observed_low, curves.observed, curves.observed_high, strict=True)
    )

    nothing = Curves.of(Outcomes.of(table.assign(label=0.0), RUBRIC))
    assert (nothing.recall, nothing.precision) == ([], [])
    assert Curves.of(Outcomes.of(table, Rubric("percent", 0, 100, 3))).confusion == []


def test_the_errors_listed_are_the_worst_of_their_kind() -> None:
    table = table_of(300, noise=1.5)

    errors = evaluate(table, RUBRIC).errors

    by_id = table.set_index("id")
    distance = (by_id["calibrated"] - by_id["label"]).abs()
    assert distance[errors.farthest[0]] == distance.max()
    assert len(errors.farthest) == 12
    keeps, drops = by_id.loc[errors.false_keeps], by_id.loc[errors.false_drops]
    assert keeps["keep"].all() and (keeps["label"] < 3).all() and keeps["p_keep"].is_monotonic_decreasing
    assert not drops["keep"].any() and (drops["label"] >= 3).all() and drops["p_keep"].is_monotonic_increasing


def test_a_perfect_model_has_no_errors_and_a_warning_that_it_is_not_certain() -> None:
    found = evaluate(perfect(100), RUBRIC)

    for name in ("f1", "precision", "recall", "average_precision", "qwk", "spearman", "macro_f1"):
        assert found.metrics[name].value == pytest.approx(1), name
    for name in ("mae", "brier", "calibration_error"):
        assert found.metrics[name].value == pytest.approx(0), name
    assert (found.errors.farthest, found.errors.false_keeps, found.errors.false_drops) == ([], [], [])
    assert any("no width" in warning and "3.0%" in warning for warning in found.warnings)


def test_an_interval_holds_the_number_of_documents_and_the_share_of_undefined_resamples() -> None:
    table = table_of(60)
    rare = table.assign(label=np.where(np.arange(60) < 5, 4.0, 1.0), keep=np.arange(60) == 0)

    intervals = bootstrap(rare, RUBRIC)

    # One kept document is missing from (1 - 1/60)^60 = 36 % of the resamples, which then have no precision.
    assert intervals["precision"].undefined_share == pytest.approx(0.36, abs=0.05)
    assert intervals["mae"].undefined_share == 0
    assert {interval.n for interval in intervals.values()} == {60}


def test_the_spread_over_seeds_is_shown_with_the_interval() -> None:
    plain = evaluate(table_of(120), RUBRIC)
    found = replace(plain, seeds={"f1": [0.70, 0.72, 0.74], "qwk": [0.5], "mae": [0.4, float("nan")]})

    assert read(json.loads(json.dumps(replace(found, seeds={"f1": [0.7, 0.72]}).to_json()))).seeds == {
        "f1": [0.7, 0.72]
    }
    assert found.seed_spread("f1") == pytest.approx(0.02)
    assert [found.seed_spread(name) for name in ("qwk", "mae", "spearman")] == [None, None, None]
    assert summary_table(found)["F1"][0].endswith(", seeds ± 0.020")
    assert "seeds" not in summary_table(plain)["F1"][0] + summary_table(found)["QWK"][0]
    assert found.flat()["test/f1_seed_sd"] == pytest.approx(0.02)


def test_undefined_figures_are_named() -> None:
    nothing_kept = table_of(60).assign(keep=False)

    found = evaluate(nothing_kept, RUBRIC)

    assert found.metrics["precision"].value is None
    assert any("Undefined" in warning and "precision" in warning for warning in found.warnings)
