"""The curve of a training run, in a module that worker processes can import."""

import numpy as np

from assay.model import ModelInfo
from assay.rubric import load_rubric
from assay.training import TrainConfig
from assay.training.loop import fit


def info_of(config: TrainConfig) -> ModelInfo:
    return ModelInfo(config.encoder, load_rubric("education"), config.windows)


def curve(texts: list[str], labels: np.ndarray, config: TrainConfig) -> list[tuple[float, float]]:
    """Loss and gradient norm of every update."""
    fitted = fit(texts, labels, info_of(config), config, weights=1 + labels)
    return [(record["loss"], record["gradient_norm"]) for record in fitted.history]
