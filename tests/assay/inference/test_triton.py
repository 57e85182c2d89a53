"""A version as a repository of Triton: its own schema reads the configuration, and the network is the same."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format

from assay.cli import main
from assay.inference import Scorer, read_golden, write_triton
from assay.inference.encode import encode
from assay.inference.forward import pad

TYPES = {onnx.TensorProto.INT64: "TYPE_INT64", onnx.TensorProto.FLOAT: "TYPE_FP32"}


@pytest.fixture
def repository(tiny_model: Path, tmp_path: Path) -> Path:
    """Return the model repository of the tiny model."""
    assert write_triton(tiny_model, "education", tmp_path / "repository") < 1e-5
    return tmp_path / "repository"


def test_triton_reads_the_configuration_and_it_fits_the_network(repository: Path) -> None:
    from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

    config = text_format.Parse((repository / "education" / "config.pbtxt").read_text(), ModelConfig())
    graph = onnx.load(repository / "education" / "1" / "model.onnx").graph

    assert config.name == "education"
    assert config.max_batch_size > 0
    for described, found in ((config.input, graph.input), (config.output, graph.output)):
        assert [each.name for each in described] == [each.name for each in found]
        for each, value in zip(described, found, strict=True):
            tensor = value.type.tensor_type
            assert DataType.Name(each.data_type) == TYPES[tensor.elem_type]
            # The first dimension is the batch, which the configuration leaves out.
            dims = [size.dim_value or -1 for size in tensor.shape.dim][1:]
            assert list(each.dims) == dims


def test_what_a_client_is_given_is_enough_for_the_scores(repository: Path, tiny_model: Path) -> None:
    texts = [str(row["text"]) for row in read_golden(tiny_model)]
    loaded = Scorer.load(tiny_model).model
    session = onnxruntime.InferenceSession(str(repository / "education" / "1" / "model.onnx"))

    found = []
    for document in encode(loaded.tokenizer, texts, loaded.info.windows):
        ids, mask = pad(document.windows, 0)
        found.append(session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0].mean())

    np.testing.assert_allclose(found, Scorer.load(tiny_model).score(texts)["score"], atol=1e-4)
    client = repository / "education" / "1" / "client"
    assert json.loads((client / "assay.json").read_text()) == json.loads((tiny_model / "assay.json").read_text())
    assert (client / "tokenizer.json").is_file()


def test_a_model_that_is_more_than_a_network_is_refused(
    tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    labels, model = tmp_path / "labels.jsonl", tmp_path / "model"
    labels.write_text("".join(json.dumps(row) + "\n" for row in sample[:200]))
    train = ["train", "--data", str(labels), "--recipe", "lexical", "--no-learning-curve", "--no-refit"]
    assert main([*train, "--output", str(model)]) == 0
    registry = str(tmp_path / "registry")
    assert main(["registry", "add", str(model), "--registry", registry, "--promote-refused", "a test"]) == 0
    output = tmp_path / "repository"

    assert main(["registry", "triton", "champion", "--registry", registry, "--output", str(output)]) == 2

    assert "of the kind lexical is more than a network" in capsys.readouterr().err
    assert not output.exists()
