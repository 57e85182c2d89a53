"""Settings and labels that several files of tests train with."""

from pathlib import Path

import numpy as np
import pytest
from sample_runs import Labelled

from assay.model import Windows
from assay.rubric import load_rubric
from assay.training import TrainConfig


@pytest.fixture(scope="session")
def split_sample(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """The shipped sample, split; nothing changes it."""
    return Labelled(tmp_path_factory.mktemp("labelled"), load_rubric("education"))


@pytest.fixture
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder),
        windows=Windows(tokens=48, count=2),
        epochs=2,
        batch_documents=9,  # does not divide by two: the processes' shares differ in size
        batch_tokens=200,  # several accumulated pieces an update, of different sizes
        learning_rate=2e-3,
        checkpoint_updates=3,
    )


@pytest.fixture
def labelled(sample: list[dict]) -> tuple[list[str], np.ndarray]:
    rows = sample[:60]
    return [row["text"] for row in rows], np.array([row["label"] for row in rows], dtype=float)
