"""What a training run minimises: how far scores are from labels, in one of three senses."""

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from assay.errors import InputError

LossName: TypeAlias = Literal["regression", "ordinal", "binary"]
MOST_LEVELS = 20
"""Different labels, above which an ordinal model takes whole numbers for its levels."""
EDGE = 4.0
"""Log-odds beyond the outermost cut points that the scale of the labels stands for: 98 %."""


class Loss(nn.Module, ABC):
    """Loss of each document, and what turns the network's output into a score on the scale of the labels at the end."""

    @abstractmethod
    def targets(self, labels: NDArray[np.float64]) -> torch.Tensor:
        """What the output is compared with, of shape (documents, …)."""

    @abstractmethod
    def forward(self, output_D: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Shape (documents,)."""

    @abstractmethod
    def scale(self) -> tuple[float, float]:
        """(slope, shift): a score is slope * output + shift; the slope is above 0."""


class Regression(Loss):
    """Squared error of standardised labels."""

    def __init__(self, labels: NDArray[np.float64]) -> None:
        super().__init__()
        self.mean, self.spread = float(labels.mean()), float(labels.std())

    def targets(self, labels: NDArray[np.float64]) -> torch.Tensor:
        return torch.tensor((labels - self.mean) / self.spread, dtype=torch.float32)

    def forward(self, output_D: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (output_D - target) ** 2

    def scale(self) -> tuple[float, float]:
        return self.spread, self.mean


class Ordinal(Loss):
    """Cumulative link: P(label >= level k) = sigmoid(output - cut k), with a cut for each level but the lowest.

    The mean of the levels' logistic losses, which is the all-threshold loss of Rennie and Srebro, "Loss functions for
    preference levels" (2005). Cuts are learned, and begin where the levels' shares have them. A label between two
    levels is reached in part, so that soft labels and means of raters need nothing else.
    """

    def __init__(self, labels: NDArray[np.float64], levels: NDArray[np.float64]) -> None:
        """`levels`: rising, at least two."""
        super().__init__()
        self.levels = levels
        share = np.clip(self._reached(labels).mean(axis=0), 0.5 / len(labels), 1 - 0.5 / len(labels))
        self.cuts = nn.Parameter(torch.tensor(np.log1p(-share) - np.log(share), dtype=torch.float32))

    def _reached(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each label reaches each level but the lowest, shape (n, levels - 1), 0 to 1."""
        below, above = self.levels[:-1], self.levels[1:]
        return np.clip((labels[:, None] - below) / (above - below), 0, 1)

    def targets(self, labels: NDArray[np.float64]) -> torch.Tensor:
        return torch.tensor(self._reached(labels), dtype=torch.float32)

    def forward(self, output_D: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logit = output_D[:, None] - self.cuts
        return nn.functional.binary_cross_entropy_with_logits(logit, target, reduction="none").mean(dim=1)

    def scale(self) -> tuple[float, float]:
        cuts = self.cuts.detach().numpy(force=True)
        low, high = float(cuts.min()) - EDGE, float(cuts.max()) + EDGE
        slope = float(self.levels[-1] - self.levels[0]) / (high - low)
        return slope, float(self.levels[0]) - slope * low


class Binary(Ordinal):
    """Whether the label reaches the threshold, and nothing else: for what is kept or not. Logistic loss."""

    def __init__(self, labels: NDArray[np.float64], threshold: float) -> None:
        self.threshold = threshold
        super().__init__(labels, np.array([labels.min(), max(labels.max(), labels.min() + 1)]))

    def _reached(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        return (labels >= self.threshold)[:, None].astype(float)


def make_loss(name: LossName, labels: NDArray[np.float64], threshold: float) -> Loss:
    """The loss of a run on labels of shape (n,). Raises InputError for labels that it cannot learn from."""
    if name == "regression":
        return Regression(labels)
    if name == "binary":
        reached = labels >= threshold
        if reached.all() or not reached.any():
            raise InputError(
                f"{'all' if reached.all() else 'no'} labels reach the threshold {threshold:g}",
                where=f"training part of {len(labels)} documents",
                fix="Choose another threshold, or another loss",
            )
        return Binary(labels, threshold)
    levels = np.unique(labels)
    if len(levels) > MOST_LEVELS or not np.array_equal(levels, levels.round()):
        levels = np.arange(np.floor(labels.min()), np.ceil(labels.max()) + 1)
    return Ordinal(labels, levels)
