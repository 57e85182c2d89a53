"""Freeze weights: train all of them, those of the last layers, or the head alone."""

from typing import Any

from assay.errors import InputError


def train_last_layers(network: Any, count: int) -> None:
    """Freeze the encoder except its last `count` layers. 0 trains the head alone, with the pooler if one exists.

    Raise InputError for more layers than the encoder has, and for an encoder without a stack of layers.
    """
    from torch import nn

    encoder = network.base_model
    stacks = [(name, module) for name, module in encoder.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise InputError("this encoder has no stack of layers", fix="Train all of it: leave trained_layers out")
    # By length, not by name: families of encoders name their stack differently.
    name, stack = max(stacks, key=lambda each: len(each[1]))
    if count > len(stack):
        raise InputError(f"trained_layers is {count}, but this encoder has {len(stack)}", fix=f"Give 0 to {len(stack)}")
    last = {f"{name}.{number}." for number in range(len(stack) - count, len(stack))}
    # Modules after the stack, such as the pooler of BERT, are trained with the head.
    order = [part for part, _ in encoder.named_children()]
    place = order.index(name.partition(".")[0])
    behind = {f"{part}." for part in order[place + 1 :]}
    for weight, parameter in encoder.named_parameters():
        parameter.requires_grad = any(weight.startswith(begin) for begin in last | behind)
