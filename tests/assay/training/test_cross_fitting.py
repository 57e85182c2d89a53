"""Cross-fitting and label weights: the documents of each model, and a stopped run that resumes in its fold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample_runs import Labelled, StoppedError, train

from assay.inference import Scorer
from assay.labels import assign_folds, fitting_part, part_of, read_held_out
from assay.model import ModelInfo, Profile, Windows
from assay.rubric import load_rubric
from assay.training import TrainConfig, calibrate
from assay.training.loop import fit

FOLDS = 3


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder),
        windows=Windows(tokens=32),
        epochs=2,
        learning_rate=2e-3,
        checkpoint_updates=2,
        folds=FOLDS,
        refit=False,
        learning_curve=False,
    )


@pytest.fixture(scope="module")
def cross_fitted(split_sample: Labelled, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(split_sample, config, tmp_path_factory.mktemp("cross-fitted"))


def test_each_document_is_scored_by_the_model_that_left_its_fold_out(
    split_sample: Labelled, config: TrainConfig, cross_fitted: Path
) -> None:
    part = fitting_part(split_sample.documents, split_sample.assignment, cross_fitted=True)
    texts, labels = split_sample.snapshot.take(part["row"]), part["label"].to_numpy()
    held_out = read_held_out(cross_fitted)
    assert set(held_out) == set(part["id"])
    assert set(split_sample.assignment.loc[split_sample.assignment["part"] == "test", "id"]).isdisjoint(held_out)

    fold = assign_folds(labels, part["cluster"].to_numpy(), split_sample.rubric.threshold, FOLDS, config.seed)
    outside, inside = np.flatnonzero(fold != 1), np.flatnonzero(fold == 1)
    other = fit(
        [texts[row] for row in outside],
        labels[outside],
        ModelInfo(config.encoder, split_sample.rubric, config.windows),
        config,
    )

    expected = Scorer(other.model).read([texts[row] for row in inside]).score
    np.testing.assert_allclose([held_out[part["id"][row]] for row in inside], expected, atol=1e-5)


@pytest.mark.parametrize(
    "saves",  # in the second fold, in the first, in the last model
    [25, pytest.param(2, marks=pytest.mark.full), pytest.param(55, marks=pytest.mark.full)],
)
def test_a_stopped_run_resumes_with_the_model_it_was_fitting(
    saves: int, split_sample: Labelled, config: TrainConfig, cross_fitted: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        train(split_sample, config, tmp_path, stop_after=saves)
    resumed = train(split_sample, config, tmp_path)

    for file in ("model.safetensors", "held_out.parquet"):
        assert (resumed / file).read_bytes() == (cross_fitted / file).read_bytes()
    spent, known = (pd.read_parquet(model.with_name("curve.parquet")) for model in (resumed, cross_fitted))
    columns = ["fold", "step", "loss", "tokens"]
    pd.testing.assert_frame_equal(spent[columns], known[columns])


def test_the_updates_of_the_models_of_the_folds_are_counted(cross_fitted: Path, config: TrainConfig) -> None:
    curve = pd.read_parquet(cross_fitted.with_name("curve.parquet"))

    updates = curve.groupby("fold")["step"].agg(["size", "max"])
    assert updates.index.tolist() == list(range(FOLDS + 1))
    assert (updates["size"] == updates["max"] + 1).all()
    assert curve["fold"].iloc[-1] == 0, "the model itself comes last"
    assert updates.loc[0, "size"] > updates.loc[1, "size"], "it learns from every fold"


def test_calibration_uses_the_held_out_scores(split_sample: Labelled, cross_fitted: Path, tmp_path: Path) -> None:
    info = calibrate(
        cross_fitted,
        split_sample.set,
        tmp_path / "calibrated",
        progress=False,
    )

    held_out = read_held_out(cross_fitted)
    assert info.calibration is not None
    assert info.calibration.documents == len(held_out)
    part = fitting_part(split_sample.documents, split_sample.assignment, cross_fitted=True)
    reached = part["label"] >= split_sample.rubric.threshold
    kept = info.calibration.apply(part["id"].map(held_out).to_numpy()).keep
    calibrating = part_of(split_sample.documents, split_sample.assignment, "calibration")
    reference = Profile.read(tmp_path / "calibrated")
    assert reference.documents == len(calibrating)
    expected = info.calibration.apply(calibrating["id"].map(held_out).to_numpy()).keep
    assert reference.kept == expected.sum(), "its own scores would be of documents that it was trained on"
    assert kept.sum() == reached.sum()


def test_without_folds_the_calibration_part_is_not_trained_on(
    split_sample: Labelled, config: TrainConfig, tmp_path: Path
) -> None:
    model = train(split_sample, replace(config, folds=0, epochs=1), tmp_path)

    assert read_held_out(model) == {}
    info = calibrate(model, split_sample.set, tmp_path / "calibrated", progress=False)
    assert info.calibration is not None
    assert info.calibration.documents == len(part_of(split_sample.documents, split_sample.assignment, "calibration"))


def test_heavy_labels_outweigh_light_ones(config: TrainConfig, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:24]]
    info = ModelInfo(config.encoder, load_rubric("education"), config.windows)
    both = [text for text in texts for _ in range(2)]
    labels = np.tile([1.0, 4.0], len(texts))
    config = replace(config, folds=0, epochs=25)

    scores = {}
    for heavy in (0, 1):
        weights = np.tile([100.0, 0.01] if heavy == 0 else [0.01, 100.0], len(texts))
        scores[heavy] = Scorer(fit(both, labels, info, config, weights=weights).model).read(texts).score

    assert (scores[0] < 1.5).all()
    assert (scores[1] > 3.5).all()


@pytest.mark.full
def test_equal_weights_change_nothing(config: TrainConfig, sample: list[dict]) -> None:
    texts, labels = [row["text"] for row in sample[:24]], np.array([row["label"] for row in sample[:24]], float)
    info = ModelInfo(config.encoder, load_rubric("education"), config.windows)
    config = replace(config, folds=0, epochs=1)

    plain = fit(texts, labels, info, config).history
    weighted = fit(texts, labels, info, config, weights=np.full(24, 7.0)).history

    assert pd.DataFrame(plain)["loss"].tolist() == pytest.approx(pd.DataFrame(weighted)["loss"].tolist(), rel=1e-5)
