"""Few labels from the command line: weights, cross-fitting, seeds, a cut for a target, and another cut in selection."""

import json
from pathlib import Path

import pandas as pd
import pytest

from assay.cli.main import main
from assay.labels import read_held_out
from assay.model import ModelInfo, Windows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Path:
    folder = tmp_path_factory.mktemp("few")
    rows = [
        {"id": row["id"], "text": row["text"], "label": row["label"], "sure": 1 + n % 3} for n, row in enumerate(sample)
    ]
    pd.DataFrame(rows).to_parquet(folder / "labels.parquet", index=False)
    arguments = ["train", "--data", str(folder / "labels.parquet"), "--rubric", "education"]
    arguments += ["--output", str(folder / "model"), "--encoder", str(tiny_encoder), "--weight-column", "sure"]
    arguments += ["--window-tokens", "32", "--window-count", "3", "--epochs", "1"]
    arguments += ["--folds", "2", "--seeds", "2", "--keep", "recall~0.9"]
    assert main(arguments) == 0
    return folder


@pytest.mark.full
def test_the_model_folder_records_the_settings(trained: Path) -> None:
    model = trained / "model"
    info, evaluation = ModelInfo.read(model), json.loads((model / "evaluation.json").read_text())

    assert info.calibration is not None
    assert info.calibration.target == "recall~0.9"
    assert info.windows == Windows(32, 3)
    parts = info.lineage["documents"]
    assert len(read_held_out(model)) == parts["train"] + parts["calibration"] == info.calibration.documents
    assert len(evaluation["seeds"]["spearman"]) == 2
    assert [row["target"] for row in evaluation["cuts"] if row["chosen"]] == ["recall~0.9"]
    promised = [row for row in evaluation["cuts"] if row["target"] in ("recall=0.8", "precision=0.5")]
    assert all("scores of fold models" in row["refused"] for row in promised)
    assert len(promised) == 2
    assert evaluation["training"]["processor_seconds"] > 0
    for page in ("README.md", "report.html"):
        assert "recall~0.9 (this model" in (model / page).read_text()


@pytest.mark.full
def test_a_selection_uses_another_cut_without_training_again(trained: Path, tiny_encoder: Path) -> None:
    corpus, scores, model = (str(trained / name) for name in ("labels.parquet", "scores", "plain"))
    arguments = ["train", "--data", corpus, "--rubric", "education", "--output", model, "--encoder", str(tiny_encoder)]
    assert main([*arguments, "--window-tokens", "32", "--epochs", "1"]) == 0
    assert main(["score", corpus, "--model", model, "--output", scores]) == 0
    counts = {}
    for keep in ("recall=0.9", "recall~0.5"):
        output = trained / keep
        given = ["select", corpus, "--model", model, "--scores", scores, "--keep", keep]
        assert main([*given, "--keep-duplicates", "--output", str(output)]) == 0
        counts[keep] = json.loads((output / "manifest.json").read_text())["rows"]

    assert counts["recall=0.9"] > counts["recall~0.5"] > 0


@pytest.mark.full
def test_folds_promise_nothing(trained: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, scores, model = (str(trained / name) for name in ("labels.parquet", "fold-scores", "model"))
    arguments = ["train", "--data", corpus, "--output", str(trained / "none"), "--encoder", str(tiny_encoder)]

    assert main([*arguments, "--folds", "2", "--keep", "precision=0.8"]) == 2
    assert "cannot promise precision=0.8" in capsys.readouterr().err
    assert main(["score", corpus, "--model", model, "--output", scores]) == 0
    given = ["select", corpus, "--model", model, "--scores", scores, "--output", str(trained / "not"), "--keep"]
    assert main([*given, "recall=0.9"]) == 2
    assert "Give recall~0.9" in capsys.readouterr().err
    assert main([*given, "recall~0.9"]) == 0


@pytest.mark.full
def test_a_target_that_few_labels_cannot_promise_is_refused_before_training(
    trained: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--data", str(trained / "labels.parquet"), "--rubric", "education", "--keep", "recall=0.99"]

    assert main([*arguments, "--output", str(trained / "other"), "--encoder", str(tiny_encoder)]) == 2

    said = capsys.readouterr().err
    assert "cannot promise a recall of 0.99" in said
    assert "Label until 299 reach it" in said
    assert "Train" not in said
    assert not (trained / "other").exists()
