"""Train several rubrics together: one loss for each output of the network; missing labels have no effect."""

import numpy as np
import torch
from torch import nn

from assay.errors import InputError
from assay.model import ModelInfo
from assay.training.losses import Loss, LossName, make_loss


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


def shares(weight_DR: torch.Tensor, mine: np.ndarray, batch: np.ndarray) -> torch.Tensor:
    """Return the shares of the documents `mine` in the loss of the whole `batch`, shape (mine, rubrics).

    The loss is the mean over the rubrics of the weighted mean over documents with a label by the rubric. A rubric
    without labels in the batch adds 0. The shares of a batch with labels by all rubrics sum to 1.
    """
    columns = []
    for weight_D in weight_DR.unbind(1):
        total = weight_D[batch].sum()
        columns.append(weight_D[mine] / total if total > 0 else torch.zeros(len(mine)))
    return torch.stack(columns, 1) / weight_DR.shape[1]
