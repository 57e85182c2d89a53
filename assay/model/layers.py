"""Which weights learn: all of them, those of the last layers, or those of the head alone."""

from typing import Any

from torch import nn

from assay.errors import InputError


def train_last_layers(network: Any, count: int) -> None:
    """Freeze the encoder but for its last `count` layers; 0 leaves the head, with the pooler where there is one.

    Raises InputError for more layers than there are, and for an encoder that is not a stack of layers.
    """
    encoder = network.base_model
    stacks = [(name, module) for name, module in encoder.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise InputError("this encoder is no stack of layers", fix="Train all of it: leave trained_layers out")
    name, stack = max(stacks, key=lambda each: len(each[1]))
    if count > len(stack):
        raise InputError(f"trained_layers is {count}, but this encoder has {len(stack)}", fix=f"Give 0 to {len(stack)}")
    last = {f"{name}.{number}." for number in range(len(stack) - count, len(stack))}
    order = [part for part, _ in encoder.named_children()]
    place = order.index(name.partition(".")[0])
    behind = {f"{part}." for part in order[place + 1 :]}
    for weight, parameter in encoder.named_parameters():
        parameter.requires_grad = any(weight.startswith(begin) for begin in last | behind)
