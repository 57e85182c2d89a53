"""A model fitted to all labels after another was measured: what it learns, its scale, its record, a stopped run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample_runs import Labelled, StoppedError, train

from assay.errors import InputError
from assay.evaluation.evaluate import with_training
from assay.evaluation.run import evaluate_model
from assay.inference import Scorer, check_golden
from assay.labels import fitting_part, part_of, read_test_digests
from assay.labels.parts import read_marks, read_seen
from assay.model import REFIT, KeepTarget, ModelInfo, Windows, load_model, rescale
from assay.pipeline import TrainingRequest, train_and_evaluate
from assay.training import TrainConfig, calibrate, launch, recipe, train_model
from assay.training.config import REFIT_BELOW, refits
from assay.training.loop import fit

SOURCE = Path(__file__).parents[3] / "data" / "sample" / "documents.jsonl"


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder),
        windows=Windows(tokens=32),
        epochs=2,
        learning_rate=2e-3,
        checkpoint_updates=5,
        learning_curve=False,
    )


@pytest.fixture(scope="module")
def trained(split_sample: Labelled, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(split_sample, config, tmp_path_factory.mktemp("refitted"))


@pytest.fixture(scope="module")
def calibrated(split_sample: Labelled, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("calibrated") / "model"
    calibrate(trained, split_sample.set, output, progress=False)
    return output


def test_what_ships_has_learned_from_every_label(split_sample: Labelled, config: TrainConfig, trained: Path) -> None:
    every = fitting_part(split_sample.documents, split_sample.assignment, cross_fitted=False, refitted=True)
    assert len(every) == len(split_sample.documents)
    info = ModelInfo(config.encoder, split_sample.rubric, config.windows)
    texts = split_sample.snapshot.take(every["row"])
    again = fit(texts, every["label"].to_numpy(), info, config, weights=every["weight"].to_numpy())

    found = Scorer(load_model(trained / REFIT)).read(texts[:30]).score
    np.testing.assert_allclose(found, Scorer(again.model).read(texts[:30]).score, atol=1e-5)


def test_what_is_measured_is_the_same_with_and_without(
    split_sample: Labelled, config: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    plain = train(split_sample, replace(config, refit=False), tmp_path)

    assert not (plain / REFIT).exists()
    assert (plain / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert "fold" not in pd.read_parquet(tmp_path / "curve.parquet")
    curve = pd.read_parquet(trained.with_name("curve.parquet"))
    assert curve["fold"].drop_duplicates().tolist() == [0, -1]


@pytest.mark.parametrize("folds", [0, pytest.param(2, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "stage", ["of what is measured", "of what ships", pytest.param("last", marks=pytest.mark.full)]
)
def test_a_stopped_run_resumes(
    stage: str, folds: int, split_sample: Labelled, config: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    config = replace(config, folds=folds)
    known = trained if not folds else train(split_sample, config, tmp_path / "whole")
    curve = pd.read_parquet(known.with_name("curve.parquet"))
    saves = curve.groupby("fold", sort=False).size().floordiv(config.checkpoint_updates)
    stops = {"of what is measured": saves.drop(-1).sum() - 1, "of what ships": saves.drop(-1).sum() + 3}
    stopped = tmp_path / "stopped"

    with pytest.raises(StoppedError):
        train(split_sample, config, stopped, stop_after=int(stops.get(stage, saves.sum())))
    resumed = train(split_sample, config, stopped)

    for file in ("model.safetensors", f"{REFIT}/model.safetensors", f"{REFIT}/seen.parquet"):
        assert (resumed / file).read_bytes() == (known / file).read_bytes(), file
    columns = ["fold", "step", "loss", "tokens"]
    pd.testing.assert_frame_equal(pd.read_parquet(stopped / "curve.parquet")[columns], curve[columns])


@pytest.mark.parametrize("kind", ["encoder", "hybrid", "lexical", pytest.param("head", marks=pytest.mark.encoder)])
def test_its_scores_lie_on_the_scale_of_the_measured_model(
    kind: str, split_sample: Labelled, config: TrainConfig, calibrated: Path, tmp_path: Path
) -> None:
    folder = calibrated
    if kind != "encoder":
        given = replace(config, kind="hybrid") if kind == "hybrid" else recipe(kind)
        # Of the real encoder: what a random one says is nearly constant, and a head on it all weights.
        given = replace(given, windows=config.windows) if kind == "head" else given
        given = replace(given, learning_curve=False)
        folder = tmp_path / "calibrated"
        calibrate(train(split_sample, given, tmp_path), split_sample.set, folder, progress=False)

    measured, shipped = Scorer.load(folder), Scorer.load(folder / REFIT)
    both = part_of(split_sample.documents, split_sample.assignment, "train")
    texts = split_sample.snapshot.take(both["row"])
    first, second = measured.read(texts).score, shipped.read(texts).score
    assert second.mean() == pytest.approx(first.mean(), abs=5e-3)
    assert second.std() == pytest.approx(first.std(), rel=1e-2)
    assert not np.array_equal(first, second), "it is another model"
    assert shipped.model.info.calibration == measured.model.info.calibration
    assert check_golden(shipped, folder / REFIT).passed
    assert shipped.model.info.lineage["refit"] == len(split_sample.documents)


@pytest.mark.parametrize("words", [0.5, 0.2])
def test_a_scale_is_mapped_exactly(words: float, split_sample: Labelled, config: TrainConfig, tmp_path: Path) -> None:
    model = load_model(train(split_sample, replace(config, kind="hybrid", epochs=1, refit=False), tmp_path))
    blend = replace(model.info.blend[0], words=words, offset=0.25)
    model = replace(model, info=replace(model.info, blend=(blend,)))
    texts = split_sample.snapshot.take(np.arange(20))
    before, alone = Scorer(model).read(texts).score, Scorer(model.lexical).read(texts).score

    mapped = rescale(model, np.array([1.5]), np.array([-0.75]))

    np.testing.assert_allclose(Scorer(mapped).read(texts).score, 1.5 * before - 0.75, atol=1e-5)
    np.testing.assert_allclose(Scorer(mapped.lexical).read(texts).score, 1.5 * alone - 0.75, atol=1e-5)


@pytest.mark.parametrize("folds", [0, pytest.param(2, marks=pytest.mark.full)])
def test_two_processes_fit_the_same_models_one_after_the_other(
    folds: int, split_sample: Labelled, config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(config, folds=folds, learning_curve=True, epochs=1)
    alone = train(split_sample, config, tmp_path / "alone")

    given = (split_sample.snapshot, split_sample.documents, split_sample.assignment, split_sample.rubric, config)
    launch(2, train_model, *given, output=tmp_path / "two", checkpoints=tmp_path / "checkpoints")

    texts = split_sample.snapshot.take(np.arange(20))
    for name in (".", REFIT):
        one, two = (Scorer(load_model(folder / name)).read(texts).score for folder in (alone, tmp_path / "two"))
        np.testing.assert_allclose(two, one, atol=1e-3)
    one, two = (pd.read_parquet(folder / "learning.parquet") for folder in (alone, tmp_path / "two"))
    np.testing.assert_allclose(two["score"], one["score"], atol=1e-3)


def test_its_test_part_counts_as_seen(split_sample: Labelled, trained: Path) -> None:
    test = part_of(split_sample.documents, split_sample.assignment, "test")
    measured, shipped = read_seen(trained), read_seen(trained / REFIT)

    assert len(shipped) == len(measured) + len(test)
    assert set(read_test_digests(trained)) == set(read_test_digests(trained / REFIT)), "the same part measured it"
    assert set(read_test_digests(trained)).isdisjoint(measured)
    assert set(read_test_digests(trained)) <= set(shipped)
    assert len(read_marks(trained / REFIT)) == len(shipped), "a near-duplicate of a test document is recognised"


def test_a_fit_that_failed_does_not_ship(
    split_sample: Labelled, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    file = broken / REFIT / "model.safetensors"
    weights = load_file(file)
    save_file({**weights, "classifier.weight": -weights["classifier.weight"]}, file, metadata={"format": "pt"})

    info = calibrate(broken, split_sample.set, tmp_path / "calibrated", progress=False)

    assert "does not agree with the measured model" in capsys.readouterr().err
    assert not (tmp_path / "calibrated" / REFIT).exists()
    assert info.calibration is not None
    assert info.calibration.curve is not None
    assert not info.calibration.curve.cross_fitted, "what ships is what was measured"
    result = evaluate_model(
        tmp_path / "calibrated",
        split_sample.snapshot,
        part_of(split_sample.documents, split_sample.assignment, "test"),
        None,
        split_sample.rubric,
    )
    measured = with_training(result.evaluation, pd.read_parquet(trained.with_name("curve.parquet")))
    assert any("so the measured model ships" in warning for warning in measured.warnings)


def test_the_default_depends_on_the_number_of_labels() -> None:
    assert refits(TrainConfig(), REFIT_BELOW - 1)
    assert not refits(TrainConfig(), REFIT_BELOW)
    assert refits(TrainConfig(refit=True), REFIT_BELOW)
    assert not refits(TrainConfig(refit=False), 10)


@pytest.mark.parametrize("target", ["precision=0.8", "recall=0.9"])
def test_a_promise_is_kept_by_the_model_that_gave_it(target: str) -> None:
    keep = KeepTarget.parse(target)
    assert TrainingRequest("labels.parquet", keep=keep).training.refit is False
    assert TrainingRequest("labels.parquet", keep=KeepTarget.parse(target.replace("=", "~"))).training.refit is None
    with pytest.raises(InputError, match="cannot promise"):
        TrainingRequest("labels.parquet", keep=keep, config=TrainConfig(refit=True))


def test_the_folder_says_which_model_ships(config: TrainConfig, tmp_path: Path) -> None:
    request = TrainingRequest(str(SOURCE), rubric="education", config=config, seeds=2)

    evaluations = train_and_evaluate(request, tmp_path / "model")

    evaluation, folder = evaluations["education"], tmp_path / "model"
    assert evaluation.refit == 450
    assert 0 < evaluation.training["refit_seconds"] < evaluation.training["seconds"]
    assert not (folder / REFIT).exists()
    assert ModelInfo.read(folder).lineage["refit"] == 450
    assert check_golden(Scorer.load(folder), folder).passed
    assert len(read_seen(folder)) == 450
    written = json.loads((folder / "evaluation.json").read_text())
    assert written["refit"] == 450
    for page in ("README.md", "report.html"):
        text = (folder / page).read_text()
        assert "fitted to all 450 documents" in text, page
    assert "for the fit to all labels" in (folder / "README.md").read_text()
    curve = ModelInfo.read(folder).calibration.curve
    assert curve is not None
    assert curve.cross_fitted, "nothing is promised by scores of another model"
