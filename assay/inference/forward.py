"""Run batches of windows through the network, and average their scores by document. Training uses it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.inference.encode import EncodedText
from assay.model import carries_mean, mean_at_once, output_layer

if TYPE_CHECKING:
    import torch

FIRST_TOKEN_POOLED = {"bert", "camembert", "electra", "roberta", "xlm-roberta"}
"""Model types whose classification head reads the first token alone. The config does not contain it."""


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return batches of indices, longest items first, with at most `budget` padded tokens (longest × number) each.

    Items are sorted by length, which keeps padding low. An item longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    # Items come longest first, so that the first item of a batch sets its padded length.
    for index in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def pad(windows: Sequence[Sequence[int]], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return token ids and attention mask, both of shape (windows, longest)."""
    longest = max(len(window) for window in windows)
    ids_WT = np.full((len(windows), longest), padding, dtype=np.int64)
    mask_WT = np.zeros((len(windows), longest), dtype=np.int64)
    for row, window in enumerate(windows):
        ids_WT[row, : len(window)] = window
        mask_WT[row, : len(window)] = 1
    return ids_WT, mask_WT


def pad_on(windows: Sequence[Sequence[int]], padding: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `pad` returns as tensors on a device, to which they are on their way while the caller goes on."""
    import torch

    tensors = [torch.from_numpy(array) for array in pad(windows, padding)]
    if device.type == "cuda":
        tensors = [tensor.pin_memory() for tensor in tensors]
    ids_WT, mask_WT = (tensor.to(device, non_blocking=True) for tensor in tensors)
    return ids_WT, mask_WT


@contextmanager
def scoring_only(network: Any) -> Iterator[None]:
    """Compute the last layer for the first token only, inside the block, if the head reads no other token.

    The pooler of BERT, RoBERTa and similar encoders reads the first token. The output projection and feed-forward of
    the other tokens, a tenth of the arithmetic of six layers, are not needed. Scores are the same. Other encoders are
    not changed. A mean over the tokens that a layer carries is computed at once.
    """
    if carries_mean(network):
        with mean_at_once(network):
            yield
        return
    if network.config.model_type not in FIRST_TOKEN_POOLED:
        yield
        return
    output = network.base_model.encoder.layer[-1].attention.output
    hook = output.register_forward_pre_hook(lambda _, given: tuple(x_WTH[:, :1] for x_WTH in given))
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def in_bf16(network: Any, device: torch.device) -> Iterator[None]:
    """Compute the encoder in bf16 and the output layer in fp32, inside the block."""
    import torch
    from torch import nn

    head = output_layer(network)

    # The output layer stays in fp32: bf16 has no number between 2 and 2 + 1/64, so that many scores would be equal.
    def exact(x_WH: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, enabled=False):
            return nn.functional.linear(x_WH.float(), head.weight, head.bias)

    head.forward = exact  # type: ignore[method-assign, assignment]
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            yield
    finally:
        del head.forward  # the instance attribute; the method of the class is visible again


def document_scores(network: Any, documents: Sequence[EncodedText], padding: int, device: torch.device) -> torch.Tensor:
    """Return scores of shape (documents, rubrics): means over the windows of each document. Differentiable.

    All windows are one padded batch.
    """
    import torch

    windows = [window for document in documents for window in document.windows]
    owner_W = torch.tensor(
        [row for row, document in enumerate(documents) for _ in document.windows],
        dtype=torch.long,
        device=device,
    )
    ids_WT, mask_WT = pad_on(windows, padding, device)
    score_WR = network(input_ids=ids_WT, attention_mask=mask_WT).logits.float()
    count_D = torch.bincount(owner_W, minlength=len(documents)).to(score_WR.dtype)
    sum_DR = torch.zeros(len(documents), score_WR.shape[1], device=device).index_add(0, owner_W, score_WR)
    return sum_DR / count_D[:, None]
