"""Mean pooling that plain transformers computes: one more layer of BERT, with fixed weights.

BERT's own classifier reads the state of the first token, through a layer with tanh. A layer whose queries and keys are
zero attends to all tokens alike, so that the first token's state after it is their mean, plus its former state, next
to which the mean is made large; the norm of the layer takes the scale out again. With small weights tanh is a line.
Whoever computes it with Assay computes the mean at once, in place of the layer: the scores are the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from assay.errors import InputError

if TYPE_CHECKING:
    import torch

FLAG = "assay_pooling"
"""Field of the network's config that says that its last layer carries the mean."""
LARGE = 1_000.0
"""Factor of the mean, next to which the former state of the first token is 1."""
SMALL = 1e-3
"""Weight of the pooler's layer: a normed state of 1,024 numbers has none above 32, of which tanh takes 0.03 %."""


def carries_mean(network: Any) -> bool:
    """Return True if the last layer of a network is such a layer."""
    return getattr(network.config, FLAG, "") == "mean"


def carry_mean(network: Any) -> None:
    """Append the layer to a BERT classifier. Raise InputError for any other network."""
    import torch
    from transformers.models.bert.modeling_bert import BertLayer

    if network.config.model_type != "bert":
        raise InputError(
            f"mean pooling is made for BERT, and this encoder is {network.config.model_type}",
            where="training settings",
            fix="Leave pooling out, or choose another encoder",
        )
    encoder, pooler, config = network.base_model.encoder, network.base_model.pooler.dense, network.config
    layer = BertLayer(config, layer_idx=config.num_hidden_layers)
    one = torch.eye(config.hidden_size)
    with torch.no_grad():
        for parameter in [*layer.parameters(), *pooler.parameters()]:
            parameter.zero_()
        layer.attention.self.value.weight.copy_(one)
        layer.attention.output.dense.weight.copy_(LARGE * one)
        for norm in (layer.attention.output.LayerNorm, layer.output.LayerNorm):
            norm.weight.fill_(1)
        pooler.weight.copy_(SMALL * one)
        network.classifier.weight.div_(SMALL)
    encoder.layer.append(layer.eval())
    config.num_hidden_layers += 1
    setattr(config, FLAG, "mean")


@contextmanager
def mean_at_once(network: Any, *, as_trained: bool = False) -> Iterator[None]:
    """Compute the mean in place of the layer and of the pooler, inside the block; other networks are not changed.

    `as_trained`: the output layer reads the mean itself, and its weights are scaled to that: for an optimiser, whose
    steps are not scaled with the weights. The fixed weights are not trained then.
    """
    if not carries_mean(network):
        yield
        return
    layer, pooler, head = network.base_model.encoder.layer[-1], network.base_model.pooler, network.classifier
    layer.forward = lambda state_WTH, attention_mask=None, *_, **__: _mean(layer, state_WTH, attention_mask)
    pooler.forward = lambda state_WTH: state_WTH[:, 0] if as_trained else (state_WTH[:, 0] * SMALL).tanh()
    if as_trained:
        _scale(head, SMALL)
        for parameter in [*layer.parameters(), *pooler.parameters()]:
            parameter.requires_grad = False
    try:
        yield
    finally:
        del layer.forward, pooler.forward  # the instance attributes; the methods of the classes are visible again
        if as_trained:
            _scale(head, 1 / SMALL)


def _mean(layer: Any, state_WTH: "torch.Tensor", mask: "torch.Tensor | None") -> "torch.Tensor":
    """Return the layer's output for the first token, shape (windows, 1, hidden)."""
    if mask is None:
        mean_WH = state_WTH.mean(1)
    else:
        last_WT = mask[:, 0, -1, :]  # a mask for each query: all are alike
        seen_WT = last_WT == 0 if last_WT.dtype.is_floating_point else last_WT
        weight_WT1 = seen_WT[:, :, None].to(state_WTH.dtype)
        mean_WH = (state_WTH * weight_WT1).sum(1) / weight_WT1.sum(1)
    output = layer.attention.output
    once = output.LayerNorm((LARGE * mean_WH + state_WTH[:, 0])[:, None])
    return layer.output.LayerNorm(once)


def _scale(head: Any, factor: float) -> None:
    import torch

    with torch.no_grad():
        head.weight.mul_(factor)
