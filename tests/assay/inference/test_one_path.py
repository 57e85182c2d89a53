"""Only assay/inference tokenizes and runs an encoder, so that training and service cannot differ."""

import ast
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from assay.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
ALLOWED = {"assay/inference", "assay/model"}
"""model/ loads networks and tokenizers but never calls them; the last test checks that by running."""

RUNS_AN_ENCODER = {
    "logits",
    "last_hidden_state",
    "pooler_output",
    "input_ids",
    "attention_mask",
    "base_model",
}
TOKENIZES = {
    "tokenize",
    "encode_plus",
    "batch_encode_plus",
    "convert_tokens_to_ids",
    "tokenizer",
    "AutoTokenizer",
}
LIBRARIES = {"transformers", "tokenizers", "sentence_transformers", "onnxruntime", "openvino", "nncf"}


def offences(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = set()
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names} & LIBRARIES
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {node.module.split(".")[0]} & LIBRARIES
        elif isinstance(node, ast.Attribute):
            names = {node.attr} & RUNS_AN_ENCODER
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            names = {name} & TOKENIZES
        elif isinstance(node, ast.keyword) and node.arg:
            names = {node.arg} & RUNS_AN_ENCODER
        found += [f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}" for name in names]
    return found


def test_no_other_module_tokenizes_or_runs_an_encoder() -> None:
    files = [file for top in ("assay", "tasks", "workflows") for file in (ROOT / top).rglob("*.py")]
    assert len(files) > 40

    found = [
        offence
        for file in files
        if file.relative_to(ROOT).parent.as_posix() not in ALLOWED
        for offence in offences(file)
    ]

    assert found == []


def test_the_check_itself_finds_an_offence(tmp_path: Path) -> None:
    bad = ROOT / "assay" / "inference" / "encoder_reader.py"
    assert any("last_hidden_state" in offence for offence in offences(bad))


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Files of Assay that were innermost on the stack when a tokenizer or a network was called."""
    seen: dict[str, set[str]] = {"tokenizer": set(), "network": set()}

    def watched(kind: str, original: Callable) -> Callable:
        def call(*args: object, **kwargs: object) -> object:
            ours = [
                frame.filename for frame in traceback.extract_stack() if frame.filename.startswith(f"{ROOT}/assay/")
            ]
            seen[kind].add(Path(ours[-1]).relative_to(ROOT).as_posix() if ours else "elsewhere")
            return original(*args, **kwargs)

        return call

    tokenizer, network = transformers.PreTrainedTokenizerBase, transformers.PreTrainedModel
    monkeypatch.setattr(tokenizer, "__call__", watched("tokenizer", tokenizer.__call__))
    monkeypatch.setattr(network, "__call__", watched("network", torch.nn.Module.__call__), raising=False)
    return seen


def test_training_calibration_evaluation_and_scoring_run_through_inference(
    tiny_encoder: Path, sample: list[dict], tmp_path: Path, callers: dict[str, set[str]]
) -> None:
    pd.DataFrame(sample[:200]).to_parquet(tmp_path / "labels.parquet")
    pd.DataFrame(sample[200:260]).to_parquet(tmp_path / "more.parquet")
    data, model = str(tmp_path / "labels.parquet"), str(tmp_path / "model")

    train = [
        "train",
        "--data",
        data,
        "--output",
        model,
        "--encoder",
        str(tiny_encoder),
        "--window-tokens",
        "64",
        "--epochs",
        "1",
    ]
    assert main(train) == 0
    assert (
        main(
            [
                "evaluate",
                "--model",
                model,
                "--data",
                str(tmp_path / "more.parquet"),
                "--output",
                str(tmp_path / "r.json"),
            ]
        )
        == 0
    )
    assert main(["score", "--model", model, data, "--output", str(tmp_path / "scores")]) == 0

    assert callers["tokenizer"] == {"assay/inference/encode.py"}
    assert callers["network"] == {"assay/inference/forward.py", "assay/inference/encoder_reader.py"}
    (plan,) = (tmp_path / "scores").glob("*/_plan.json")
    assert np.isfinite(pd.read_parquet(plan.parent)["score"]).all()
