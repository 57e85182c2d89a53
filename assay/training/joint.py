"""Train several rubrics together: one loss for each output of the network; missing labels have no effect."""

import numpy as np
import torch
from torch import nn

from assay.errors import InputError
from assay.model import ModelInfo
from assay.training.config import LossName
from assay.training.losses import Loss, make_loss


def label_matrix(labels: np.ndarray, info: ModelInfo, texts: int) -> np.ndarray:
    """Return labels of shape (documents, rubrics), from that shape or (documents,). NaN is a missing label.

    Raise InputError if the shape does not fit, a document has no label or an infinite one, or a rubric has fewer than
    two different labels.
    """
    label_DR = np.asarray(labels, dtype=float)
    label_DR = label_DR[:, None] if label_DR.ndim == 1 else label_DR
    if label_DR.shape != (texts, len(info.aspects)):
        raise InputError(f"labels of shape {label_DR.shape} for {texts} texts and {len(info.aspects)} rubrics")
    odd = np.isinf(label_DR).any(axis=1) | np.isnan(label_DR).all(axis=1)
    if odd.any():
        where = f"training part, document {int(odd.argmax())}"
        raise InputError("cannot train on a document without a label, or with an infinite one", where=where)
    for aspect, label_D in zip(info.aspects, label_DR.T, strict=True):
        different = len(np.unique(label_D[~np.isnan(label_D)]))
        if different < 2:
            where = f"rubric {aspect.rubric.name}"
            raise InputError(f"cannot train on {texts} texts with {different} different labels", where=where)
    return label_DR


class JointLoss(nn.ModuleList):
    """Losses of the rubrics, in the order of the network's outputs."""

    def __init__(self, name: LossName, label_DR: np.ndarray, info: ModelInfo) -> None:
        """Make a loss for each rubric. Raise InputError for labels that the loss cannot use."""
        super().__init__()
        self.target_RD: list[torch.Tensor] = []
        for aspect, label_D in zip(info.aspects, label_DR.T, strict=True):
            known = label_D[~np.isnan(label_D)]
            loss = make_loss(name, known, aspect.rubric.threshold)
            self.append(loss)
            # Replace a missing label by any known one: 0 times a finite loss is 0, but 0 times NaN is NaN.
            self.target_RD.append(loss.targets(np.where(np.isnan(label_D), known[0], label_D)))

    def errors(self, output_DR: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Return the losses of the documents of these rows, shape (rows, rubrics)."""
        pairs = zip(self.losses, output_DR.unbind(1), self.target_RD, strict=True)
        return torch.stack([loss(output_D, target[rows].to(output_D.device)) for loss, output_D, target in pairs], 1)

    @property
    def losses(self) -> list[Loss]:
        """The loss of each rubric."""
        return list(self)  # type: ignore[arg-type]

    def scale(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (slopes, shifts), each of shape (rubrics,): a score is slope * output + shift."""
        slopes, shifts = zip(*(loss.scale() for loss in self.losses), strict=True)
        return torch.tensor(slopes, dtype=torch.float32), torch.tensor(shifts, dtype=torch.float32)


def relative_weights(weight_DR: torch.Tensor) -> torch.Tensor:
    """Return the weights relative to the mean weight of all labels by the same rubric. The weight 0 is no label."""
    known_R = (weight_DR > 0).sum(0)
    return (weight_DR / (weight_DR.double().sum(0) / known_R)).float()


def shares(weight_DR: torch.Tensor, mine: np.ndarray, batch: np.ndarray, full: int) -> torch.Tensor:
    """Return the shares of the documents `mine` in the loss of the `batch`, shape (mine, rubrics).

    `weight_DR`: `relative_weights` of all documents. A share is such a weight, divided by the number of labels by the
    rubric in the batch and by the number of rubrics. It does not depend on the other weights in the batch: a document
    of weight 50 moves the network 50 times as far as one of weight 1. A batch of fewer documents than `full`, such as
    the last one of an epoch, counts less in proportion. A rubric without labels in the batch adds 0.
    """
    total_R = _label_count(weight_DR, batch, full)
    share_DR = torch.where(total_R > 0, weight_DR[mine] / total_R.clamp(min=1e-9), 0.0)
    return share_DR / weight_DR.shape[1]


def batch_weight(weight_DR: torch.Tensor, batch: np.ndarray, full: int) -> float:
    """Return the weight of a batch, relative to a full one with mean weights: its loss is reported per weight."""
    total_R = _label_count(weight_DR, batch, full)
    there = total_R > 0
    return float((weight_DR[batch].sum(0)[there] / total_R[there]).mean())


def _label_count(weight_DR: torch.Tensor, batch: np.ndarray, full: int) -> torch.Tensor:
    """Return the labels by each rubric in a batch, as if it had `full` documents; shape (rubrics,)."""
    return ((weight_DR[batch] > 0).sum(0).double() * (full / len(batch))).float()
