"""Batches of windows through the network, and their scores back to documents. Training runs through here too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.inference.encode import EncodedText
from assay.model import output_layer

FIRST_TOKEN_POOLED = {"bert", "camembert", "electra", "roberta", "xlm-roberta"}
"""Types of encoder whose classification head reads the first token; a config does not say it."""


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches whose padded size (longest × number) stays within `budget` tokens, longest first.

    Sorted by length, so that little is padding; one item longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    for index in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def pad(windows: Sequence[Sequence[int]], padding: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both int64 of shape (windows, longest)."""
    longest = max(len(window) for window in windows)
    ids_WT = np.full((len(windows), longest), padding, dtype=np.int64)
    mask_WT = np.zeros((len(windows), longest), dtype=np.int64)
    for row, window in enumerate(windows):
        ids_WT[row, : len(window)] = window
        mask_WT[row, : len(window)] = 1
    return torch.from_numpy(ids_WT).to(device), torch.from_numpy(mask_WT).to(device)


@contextmanager
def scoring_only(network: Any) -> Iterator[None]:
    """Inside, the last layer computes its output for the first token only, where that is all that the head reads.

    In BERT, RoBERTa and their kin the pooler takes the first token; the output projection and feed-forward of all
    others, a tenth of the arithmetic of six layers, go nowhere. Scores are the same. Elsewhere nothing changes.
    """
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
    """Inside, the encoder computes in bf16 and the output layer in fp32: bf16 has no score between 2 and 2 + 1/64."""
    head = output_layer(network)

    def exact(x_WH: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, enabled=False):
            return nn.functional.linear(x_WH.float(), head.weight, head.bias)

    head.forward = exact  # type: ignore[method-assign, assignment]
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            yield
    finally:
        del head.forward


def document_scores(network: Any, documents: Sequence[EncodedText], padding: int, device: torch.device) -> torch.Tensor:
    """Scores of shape (documents, rubrics): means over each document's windows, in one padded batch; differentiable."""
    windows = [window for document in documents for window in document.windows]
    owner_W = torch.tensor(
        [row for row, document in enumerate(documents) for _ in document.windows],
        dtype=torch.long,
        device=device,
    )
    ids_WT, mask_WT = pad(windows, padding, device)
    score_WR = network(input_ids=ids_WT, attention_mask=mask_WT).logits.float()
    count_D = torch.bincount(owner_W, minlength=len(documents)).to(score_WR.dtype)
    sum_DR = torch.zeros(len(documents), score_WR.shape[1], device=device).index_add(0, owner_W, score_WR)
    return sum_DR / count_D[:, None]
