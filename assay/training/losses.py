"""Losses of training: regression, ordinal and binary."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from assay.errors import InputError
from assay.training.config import LossName

MOST_LEVELS = 20
"""Most distinct labels that are levels of an ordinal model. With more, its levels are whole numbers."""
EDGE = 4.0
"""Distance in log-odds from the outermost cuts to the ends of the scale of the labels: a probability of 98 %."""


class Loss(nn.Module, ABC):
    """Loss of each document, and the map from the network's output to a score on the scale of the labels."""

    @abstractmethod
    def targets(self, labels: NDArray[np.float64]) -> torch.Tensor:
        """Return the targets of the output, shape (documents, …)."""

    @abstractmethod
    def forward(self, output_D: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of each document, shape (documents,)."""

    @abstractmethod
    def scale(self) -> tuple[float, float]:
        """Return (slope, shift): a score is slope * output + shift. The slope is above 0."""


class Regression(Loss):
    """Squared error of standardised labels (mean 0, standard deviation 1)."""

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
    """Cumulative link model: P(label >= level k) = sigmoid(output - cut k), with a cut for each level but the lowest.

    The loss is the mean of the logistic losses of the levels: the all-threshold loss of Rennie and Srebro, "Loss
    functions for preference levels" (2005). The cuts are trained, and start at the log-odds of the levels' shares. A
    label between two levels reaches the upper one in part, which covers soft labels and means of raters.
    """

    def __init__(self, labels: NDArray[np.float64], levels: NDArray[np.float64]) -> None:
        """`levels`: at least two distinct labels in rising order."""
        super().__init__()
        self.levels = levels
        # A level that all labels reach, or none, would have infinite log-odds: count half a document at least.
        share = np.clip(self._reached(labels).mean(axis=0), 0.5 / len(labels), 1 - 0.5 / len(labels))
        self.cuts = nn.Parameter(torch.tensor(np.log1p(-share) - np.log(share), dtype=torch.float32))

    def _reached(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far each label reaches each level but the lowest, 0 to 1, shape (n, levels - 1)."""
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
    """Logistic loss of one event: the label reaches the threshold."""

    def __init__(self, labels: NDArray[np.float64], threshold: float) -> None:
        self.threshold = threshold
        # At least 1 apart, so that the slope of `scale` is above 0 even if all labels are equal.
        super().__init__(labels, np.array([labels.min(), max(labels.max(), labels.min() + 1)]))

    def _reached(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        return (labels >= self.threshold)[:, None].astype(float)


def make_loss(name: LossName, labels: NDArray[np.float64], threshold: float) -> Loss:
    """Return the loss of a run for labels of shape (n,). Raise InputError for labels that it cannot use."""
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
