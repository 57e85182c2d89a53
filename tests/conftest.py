"""What tests share: a tiny encoder, made here in a second, and the shipped sample."""

import json
import os
import shutil
from pathlib import Path

import pytest
from once import made_once
from tiny_versions import port, versions

__all__ = ["port", "versions"]

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
LONG = tuple(
    f"tests/{place}"
    for place in (
        "workflows/",
        "assay/deployment/",
        "assay/serving/",
        "assay/training/",
        "assay/bad_input/",
        "assay/test_",
    )
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, in the order of LONG: one that begins last leaves a core without work.

    The first two files must not wait for each other to make what both need.
    """

    def place(item: pytest.Item) -> int:
        return next((at for at, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def sample() -> list[dict]:
    """The 450 shipped documents."""
    lines = (ROOT / "data/sample/documents.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real labelled sets, which lie outside the project."""
    if not SHARED.is_dir():
        pytest.skip("the labelled sets of ../shared/data are not here")
    return SHARED


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A copy of small files as people bring them, each folder a kind of its own."""
    return Path(shutil.copytree(Path(__file__).parent / "inputs", tmp_path / "inputs"))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """A BERT of two layers and 32 dimensions with a word-piece vocabulary of the sample: real code, no quality."""

    def make(folder: Path) -> None:
        import torch
        from tokenizers import BertWordPieceTokenizer
        from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

        words = BertWordPieceTokenizer()
        words.train_from_iterator([row["text"] for row in sample], vocab_size=2000, show_progress=False)
        words.save_model(str(folder))
        tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=128)
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        )
        BertForSequenceClassification(config).save_pretrained(folder)

    return made_once(tmp_path_factory, "tiny-encoder", make)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Path:
    """A model folder made of the tiny encoder and 240 documents of the sample by `assay train`."""

    def make(folder: Path) -> None:
        import pandas as pd

        from assay.cli import main

        pd.DataFrame(sample[:240]).to_parquet(folder / "labels.parquet", index=False)
        arguments = ["train", "--data", str(folder / "labels.parquet"), "--output", str(folder / "model")]
        arguments += ["--rubric", "education", "--encoder", str(tiny_encoder), "--window-tokens", "48", "--epochs", "1"]
        assert main(arguments) == 0

    return made_once(tmp_path_factory, "trained", make) / "model"
