"""A mean over the tokens in the weights of a model: transformers, padding, and one vector in place of a layer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import ModelInfo, QualityModel, Windows, carries_mean, load_model, new_model, save_model
from assay.rubric import load_rubric
from assay.training import TrainConfig
from assay.training.loop import fit

RUBRIC = load_rubric("education")


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder), windows=Windows(tokens=48), epochs=2, learning_rate=2e-3, pooling="mean"
    )


@pytest.fixture(scope="module")
def model(config: TrainConfig, sample: list[dict]) -> QualityModel:
    texts, labels = [row["text"] for row in sample[:80]], np.array([row["label"] for row in sample[:80]], float)
    return fit(texts, labels, ModelInfo(config.encoder, RUBRIC, config.windows), config).model


@pytest.fixture(scope="module")
def folder(model: QualityModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mean") / "model"
    folder.mkdir()
    save_model(model, folder)
    return folder


def texts_of(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample[100:130]] + ["short", "a few words more than one"]


def test_plain_transformers_computes_the_same(folder: Path, sample: list[dict]) -> None:
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = texts_of(sample)
    given = tokenizer(texts, truncation=True, max_length=48, padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = network(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits[:, 0].numpy()

    scores = Scorer(load_model(folder)).read(texts).score
    assert scores.std() > 0.01
    np.testing.assert_allclose(scores, plain, atol=1e-4)


def test_the_output_layer_reads_the_mean_over_the_tokens(model: QualityModel, sample: list[dict]) -> None:
    (text,) = texts_of(sample)[:1]
    ids = model.tokenizer(text, truncation=True, max_length=48, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        states = model.network.base_model(input_ids=ids, output_hidden_states=True).hidden_states[-2][0]
    mean = torch.nn.functional.layer_norm(states.mean(0), states.shape[-1:])

    read = Scorer(model).read([text], features=True)
    assert read.features is not None
    np.testing.assert_allclose(read.features[0] * 1000, mean, atol=0.02)  # LARGE leaves 0.1 % of the first token


def test_other_texts_in_the_batch_do_not_matter(model: QualityModel, sample: list[dict]) -> None:
    texts, scorer = texts_of(sample), Scorer(model)
    alone = [scorer.read([text]).score[0] for text in texts]
    np.testing.assert_allclose(scorer.read(texts).score, alone, atol=1e-4)


def test_the_fixed_weights_stay_and_the_others_learn(model: QualityModel, config: TrainConfig) -> None:
    new = new_model(ModelInfo(config.encoder, RUBRIC, config.windows), seed=config.seed, mean=True).network.state_dict()
    last = max(int(name.split(".")[3]) for name in new if ".layer." in name)
    for name, weight in model.network.state_dict().items():
        fixed = f".layer.{last}." in name or ".pooler." in name
        assert torch.equal(weight, new[name]) == fixed or "key.bias" in name, name


def test_a_model_goes_on_with_its_mean(folder: Path, sample: list[dict]) -> None:
    again = new_model(ModelInfo(str(folder), RUBRIC, Windows(48)), seed=1, mean=True)

    assert again.trained_head
    assert carries_mean(again.network)
    texts = texts_of(sample)
    np.testing.assert_allclose(Scorer(again).read(texts).score, Scorer(load_model(folder)).read(texts).score, atol=1e-6)


def test_a_head_that_read_the_first_token_is_replaced(config: TrainConfig, sample: list[dict], tmp_path: Path) -> None:
    texts, labels = [row["text"] for row in sample[:40]], np.array([row["label"] for row in sample[:40]], float)
    first = fit(
        texts, labels, ModelInfo(config.encoder, RUBRIC, config.windows), replace(config, pooling="first", epochs=1)
    )
    save_model(first.model, tmp_path)

    assert new_model(ModelInfo(str(tmp_path), RUBRIC, Windows(48)), seed=0).trained_head
    assert not new_model(ModelInfo(str(tmp_path), RUBRIC, Windows(48)), seed=0, mean=True).trained_head


def test_only_bert_has_it(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from assay.model.pooling import carry_mean

    other = DistilBertForSequenceClassification(DistilBertConfig(dim=16, n_heads=2, n_layers=1, hidden_dim=16))
    with pytest.raises(InputError, match="mean pooling is made for BERT, and this encoder is distilbert"):
        carry_mean(other)
    with pytest.raises(InputError, match="pooling is 'max'"):
        TrainConfig(pooling="max")


@pytest.mark.parametrize("backend", ["pytorch-int8", "onnxruntime-fp32"])
def test_backends_compute_the_mean(backend: str, folder: Path, sample: list[dict], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from assay.inference.backends import export_network, is_exported, open_engine
    from assay.inference.encoder_reader import EncoderReader

    model, texts = load_model(folder), texts_of(sample)
    assert isinstance(model, QualityModel)
    expected = Scorer(model).read(texts).score
    if is_exported(backend):
        export_network(model, backend, texts, tmp_path)
        reader = EncoderReader(model, [0], engine=open_engine(backend, tmp_path))
    else:
        reader = EncoderReader(model, [0], arithmetic="int8")
    tolerance = 1e-4 if backend.endswith("fp32") else 0.1 * max(expected.std(), 0.05)
    np.testing.assert_allclose(reader.read(texts).scores[:, 0], expected, atol=tolerance)
