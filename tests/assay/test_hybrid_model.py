"""A hybrid from the command line: an encoder and words in one folder, one score, and what the encoder alone gives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.cli.main import main
from assay.errors import InputError
from assay.inference import Scorer, check_golden, export_network
from assay.model import ModelInfo, QualityModel, load_model
from assay.scoring import PartFolder, Scores
from assay.serving.assayer import Assayer
from assay.serving.documents import Document


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Path:
    """A hybrid by two rubrics, of 240 documents of the sample."""
    folder = tmp_path_factory.mktemp("hybrid")
    pd.DataFrame(sample[:240]).to_parquet(folder / "labels.parquet", index=False)
    length = [{"id": row["id"], "text": row["text"], "label": min(len(row["text"]) // 500, 3)} for row in sample[:240]]
    pd.DataFrame(length).to_parquet(folder / "length.parquet", index=False)
    given = ["train", "--data", str(folder / "labels.parquet"), "--output", str(folder / "model"), "--recipe", "hybrid"]
    given += [
        "--rubric",
        "education",
        "--also",
        f"length:2={folder / 'length.parquet'}",
        "--encoder",
        str(tiny_encoder),
    ]
    assert main([*given, "--window-tokens", "48", "--epochs", "1", "--least-updates", "0"]) == 0
    return folder


@pytest.fixture(scope="module")
def texts(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample[240:300]]


def opened(folder: Path) -> QualityModel:
    model = load_model(folder / "model")
    assert isinstance(model, QualityModel)
    return model


def test_the_score_is_the_mean_of_both_parts(trained: Path, texts: list[str]) -> None:
    model = opened(trained)
    assert model.lexical is not None

    found = Scorer(model).read(texts).scores

    words, _, _ = model.lexical.weights.read(texts, 1_000)
    network, tokenizer = AutoModelForSequenceClassification.from_pretrained(trained / "model"), model.tokenizer
    given = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=48)
    with torch.no_grad():
        encoder = network.eval()(**given).logits.numpy()
    np.testing.assert_allclose(found, (encoder + words) / 2, atol=1e-5)
    assert np.ptp(words[:, 0]) > 0.1
    assert AutoTokenizer.from_pretrained(trained / "model")


def test_the_model_folder_has_all_parts(trained: Path) -> None:
    folder = trained / "model"
    info, evaluation = ModelInfo.read(folder), json.loads((folder / "evaluation.json").read_text())

    assert (info.kind, info.words, info.windows.tokens, len(info.blend)) == ("hybrid", 1_000, 48, 2)
    assert info.view("length").blend == info.blend[1:]
    assert check_golden(Scorer.load(folder), folder).passed
    assert set(evaluation["baselines"]) == {"majority", "length", "tfidf_ridge", "encoder_ridge", "encoder_alone"}
    card = (folder / "README.md").read_text()
    assert "library_name: assay" in card
    assert "the score is the mean of both parts" in card
    assert "encoder of the hybrid alone" in card


def test_one_rubric_alone_has_its_own_parts(trained: Path, texts: list[str]) -> None:
    both = Scorer.load(trained / "model").read(texts).scores

    for number, name in enumerate(["education", "length"]):
        np.testing.assert_allclose(Scorer.load(trained / "model", rubric=name).read(texts).score, both[:, number])


def test_windows_average_to_the_score_and_vectors_are_those_of_the_encoder(trained: Path, texts: list[str]) -> None:
    scorer = Scorer.load(trained / "model")

    windows, read = scorer.windows(texts[5]), scorer.read(texts[5:6], features=True)

    assert np.mean([window.score for window in windows]) == pytest.approx(read.score[0], abs=1e-5)
    assert read.features is not None
    assert read.features.shape == (1, scorer.reader.hidden)


def test_a_backend_computes_its_network(trained: Path, texts: list[str], tmp_path: Path) -> None:
    scorer = Scorer.load(trained / "model")
    export_network(opened(trained), "onnxruntime-fp32", [], tmp_path)

    found = scorer.with_backend("onnxruntime-fp32", tmp_path).read(texts).scores

    np.testing.assert_allclose(found, scorer.read(texts).scores, atol=1e-5)


def test_a_corpus_and_the_service_have_the_same_scores(trained: Path, texts: list[str], tmp_path: Path) -> None:
    expected = Scorer.load(trained / "model").read(texts).score
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "corpus.parquet")
    score = ["score", str(tmp_path / "corpus.parquet"), "--model", str(trained / "model"), "--output"]
    assert main([*score, str(tmp_path / "scores")]) == 0
    assayer = Assayer(trained / "model", "1")
    assayer.prepare()

    (manifest,) = (tmp_path / "scores").glob("*/_manifest.json")
    ((_, table),) = Scores.complete(PartFolder.open(str(manifest.parent))).rows()
    answers = assayer.score([Document(str(number), text, float("inf")) for number, text in enumerate(texts)])

    np.testing.assert_allclose(table["score"], expected, atol=1e-5)
    np.testing.assert_allclose([answer["score"] for answer in answers if answer], expected, atol=1e-5)


def test_vectors_alone_do_not_score_it(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["score", str(trained / "labels.parquet"), "--model", str(trained / "model"), "--output", str(tmp_path)]

    assert main([*given, "--from-embeddings"]) == 2

    assert "a hybrid reads words, too, and vectors have none" in capsys.readouterr().err


def test_a_folder_without_a_part_is_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    about = json.loads((tmp_path / "model" / "assay.json").read_text())
    (tmp_path / "model" / "assay.json").write_text(json.dumps({**about, "blend": about["blend"][:1]}))
    with pytest.raises(InputError, match=r"a hybrid without the weights of its parts.*Get the model again"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "assay.json").write_text(json.dumps(about))
    (tmp_path / "model" / "lexical.safetensors").unlink()
    with pytest.raises(InputError, match=r"no weights: lexical.safetensors is missing"):
        load_model(tmp_path / "model")
