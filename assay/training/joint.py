"""Several rubrics learned together: a loss for each output of the network, and nothing from labels that are missing."""

import numpy as np
import torch
from torch import nn

from assay.errors import InputError
from assay.model import ModelInfo
from assay.training.losses import Loss, LossName, make_loss


def label_matrix(labels: np.ndarray, info: ModelInfo, texts: int) -> np.ndarray:
    """Labels as shape (documents, rubrics), from (documents,) or that; NaN where a document has none.

    Raises InputError where shapes differ, a document has no label at all, or a rubric has less than two different
    ones.
    """
    label_DR = np.asarray(labels, dtype=float)
    label_DR = label_DR[:, None] if label_DR.ndim == 1 else label_DR
    if label_DR.shape != (texts, len(info.aspects)):
        raise InputError(f"labels of shape {label_DR.shape} for {texts} texts and {len(info.aspects)} rubrics")
    odd = np.isinf(label_DR).any(axis=1) | np.isnan(label_DR).all(axis=1)
    if odd.any():
        where = f"training part, document {int(odd.argmax())}"
        raise InputError("a document without a label, or of an infinite one, cannot be learned from", where=where)
    for aspect, label_D in zip(info.aspects, label_DR.T, strict=True):
        different = len(np.unique(label_D[~np.isnan(label_D)]))
        if different < 2:
            where = f"rubric {aspect.rubric.name}"
            raise InputError(f"{texts} texts with {different} different labels cannot be learned from", where=where)
    return label_DR


class JointLoss(nn.ModuleList):
    """The loss of each rubric, in the order of the network's outputs."""

    def __init__(self, name: LossName, label_DR: np.ndarray, info: ModelInfo) -> None:
        """Raises InputError for labels that such a loss cannot learn from."""
        super().__init__()
        self.target_RD: list[torch.Tensor] = []
        for aspect, label_D in zip(info.aspects, label_DR.T, strict=True):
            known = label_D[~np.isnan(label_D)]
            loss = make_loss(name, known, aspect.rubric.threshold)
            self.append(loss)
            # Any label stands for a missing one: its loss is finite, and its weight is 0.
            self.target_RD.append(loss.targets(np.where(np.isnan(label_D), known[0], label_D)))

    def errors(self, output_DR: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Losses of the documents of these rows, shape (rows, rubrics)."""
        pairs = zip(self.losses, output_DR.unbind(1), self.target_RD, strict=True)
        return torch.stack([loss(output_D, target[rows].to(output_D.device)) for loss, output_D, target in pairs], 1)

    @property
    def losses(self) -> list[Loss]:
        """One a rubric."""
        return list(self)  # type: ignore[arg-type]

    def scale(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(slopes, shifts), each of shape (rubrics,): a score is slope * output + shift."""
        slopes, shifts = zip(*(loss.scale() for loss in self.losses), strict=True)
        return torch.tensor(slopes, dtype=torch.float32), torch.tensor(shifts, dtype=torch.float32)


def shares(weight_DR: torch.Tensor, mine: np.ndarray, batch: np.ndarray) -> torch.Tensor:
    """Shares of the documents `mine` in the loss of the whole `batch`, shape (mine, rubrics).

    That loss is the mean over the rubrics of the weighted mean over the documents that have the rubric's label; a
    rubric of which the batch has no label adds nothing. The shares of a batch with all labels sum to 1.
    """
    columns = []
    for weight_D in weight_DR.unbind(1):
        total = weight_D[batch].sum()
        columns.append(weight_D[mine] / total if total > 0 else torch.zeros(len(mine)))
    return torch.stack(columns, 1) / weight_DR.shape[1]
