"""The learning curve of a training: its models, a stopped run, and what twice the labels would give."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_runs import Labelled, StoppedError, train

from assay.evaluation.learning import LearningCurve
from assay.evaluation.record import Evaluation
from assay.inference import Scorer
from assay.labels import part_of
from assay.model import ModelInfo, Windows
from assay.pipeline import TrainingRequest, train_and_evaluate
from assay.rubric import load_rubric
from assay.storage import parse_json
from assay.training import Points, TrainConfig, read_learning
from assay.training.learning import LEAST, rows_of
from assay.training.loop import fit

SOURCE = Path(__file__).parents[3] / "data" / "sample" / "documents.jsonl"
RUBRIC = load_rubric("education")


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder),
        windows=Windows(tokens=32),
        epochs=1,
        learning_rate=2e-3,
        checkpoint_updates=2,
        refit=False,
    )


@pytest.fixture(scope="module")
def trained(split_sample: Labelled, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(split_sample, config, tmp_path_factory.mktemp("curve"))


def test_a_point_is_a_model_of_a_part_of_the_documents(
    split_sample: Labelled, config: TrainConfig, trained: Path
) -> None:
    points = read_learning(trained, "education")
    assert points is not None
    learned = part_of(split_sample.documents, split_sample.assignment, "train")
    assert points.documents == len(learned)
    assert list(points.scores) == [round(len(learned) / 4), round(len(learned) / 2)]
    quarter, half = rows_of(learned[["label"]].to_numpy(float), config.seed)
    assert set(quarter) < set(half), "the documents of a point are in the next one, too"

    part = learned.iloc[quarter]
    info = ModelInfo(config.encoder, split_sample.rubric, config.windows)
    alone = fit(split_sample.snapshot.take(part["row"]), part["label"].to_numpy(), info, config)
    test = part_of(split_sample.documents, split_sample.assignment, "test")
    expected = Scorer(alone.model).read(split_sample.snapshot.take(test["row"])).score
    np.testing.assert_allclose(points.scores[len(quarter)].loc[test["id"]], expected, atol=1e-5)


def test_the_measured_model_is_the_same_without(
    split_sample: Labelled, config: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    plain = train(split_sample, replace(config, learning_curve=False), tmp_path)

    assert read_learning(plain, "education") is None
    assert (plain / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


@pytest.mark.parametrize("saves", [1, 3, pytest.param(6, marks=pytest.mark.full)])
def test_a_stopped_run_resumes(
    saves: int, split_sample: Labelled, config: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        train(split_sample, config, tmp_path, stop_after=saves)
    resumed = train(split_sample, config, tmp_path)

    for file in ("model.safetensors", "learning.parquet"):
        assert (resumed / file).read_bytes() == (trained / file).read_bytes(), file
    columns = ["fold", "step", "loss", "tokens"]
    curves = [pd.read_parquet(model.with_name("curve.parquet"))[columns] for model in (resumed, trained)]
    pd.testing.assert_frame_equal(*curves)


@given(st.integers(0, 400), st.integers(1, 3))
def test_points_are_nested_and_know_every_rubric(documents: int, rubrics: int) -> None:
    labels = np.random.default_rng(documents).integers(0, 3, (documents, rubrics)).astype(float)
    rows = rows_of(labels, 0)

    for one, other in itertools.pairwise(rows):
        assert set(one) < set(other)
    for each in rows:
        assert len(each) >= LEAST
        assert all(len(np.unique(column)) > 1 for column in labels[each].T)
    assert len(rows) == 2 or documents * 0.25 < LEAST + 0.5


def predictions(score: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"id": [f"{row:04}" for row in range(len(label))], "label": label, "score": score})
    return table.assign(cluster=table.index, calibrated=score, p_keep=0.5, grade=0, keep=False)


def test_twice_the_labels_is_the_slope_over_doublings() -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 6, 400).astype(float)
    noisy = {size: label + noise * random.normal(size=400) for size, noise in ((100, 4.0), (200, 2.0), (400, 1.0))}
    table = predictions(noisy.pop(400), label)
    points = Points({size: pd.Series(score, table["id"]) for size, score in noisy.items()}, 400)

    curve = LearningCurve.of(table, points, RUBRIC)

    assert curve is not None
    assert curve.documents == [100, 200, 400]
    values = [point.value for point in curve.points["spearman"]]
    assert values == sorted(values)
    gain = curve.twice["spearman"]
    assert gain.value == pytest.approx((values[2] - values[0]) / 2), "two doublings between the ends"
    assert gain.low < gain.value < gain.high
    assert gain.low > 0
    assert "Spearman +0.2" in curve.in_words()


def test_without_another_point_there_is_no_curve() -> None:
    label = np.arange(60) % 6.0
    assert LearningCurve.of(predictions(label, label), None, RUBRIC) is None


def test_too_few_test_documents_give_a_gain_without_interval() -> None:
    label = np.arange(30) % 6.0
    table = predictions(label, label)
    points = Points({20: pd.Series(-label, table["id"])}, 40)

    curve = LearningCurve.of(table, points, RUBRIC)

    assert curve is not None
    assert curve.twice["spearman"].value == pytest.approx(2)
    assert curve.twice["spearman"].low is None
    assert curve.in_words().startswith("Spearman +2.000, average precision +")


def test_the_report_says_what_twice_the_labels_would_give(config: TrainConfig, tmp_path: Path) -> None:
    train_and_evaluate(TrainingRequest(str(SOURCE), rubric="education", config=config), tmp_path / "model")

    folder = tmp_path / "model"
    evaluation = parse_json(Evaluation, (folder / "evaluation.json").read_bytes(), what="it")
    assert evaluation.learning is not None
    assert evaluation.learning.documents == [68, 135, 270]
    assert evaluation.to_json() == json.loads((folder / "evaluation.json").read_text())
    page = (folder / "report.html").read_text()
    assert "twice the labels" in page
    assert "Twice the labels would give Spearman" in page
    assert "for the learning curve" in (folder / "README.md").read_text()
