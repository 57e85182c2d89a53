"""A quality model: network, tokenizer and what they mean, from a new encoder or from a model folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.errors import InputError
from assay.model.encoder import locate_encoder, quiet_transformers
from assay.model.info import ModelInfo


@dataclass
class QualityModel:
    """The three parts that a score needs."""

    network: Any
    """A transformers sequence classifier with one output for each rubric."""
    tokenizer: Any
    info: ModelInfo
    trained_head: bool = False
    """Whether the head came with the encoder: its outputs mean something, on a scale of labels."""


def new_model(info: ModelInfo, *, seed: int) -> QualityModel:
    """The pretrained encoder under a new head, equal for equal seeds; a classifier of one output keeps its own.

    Raises InputError for an unknown encoder, and for windows longer than it reads.
    """
    torch.manual_seed(seed)  # the head's initial weights
    return _open(*locate_encoder(info.encoder), info, new_head=True)


def load_model(folder: Path) -> QualityModel:
    """A saved model, ready to score. Raises InputError where the folder is not one, or is damaged."""
    return _open(str(folder), None, ModelInfo.read(folder), new_head=False)


def _open(path: str, revision: str | None, info: ModelInfo, *, new_head: bool) -> QualityModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or "main")
            network, report = AutoModelForSequenceClassification.from_pretrained(
                path,
                revision=revision or "main",
                problem_type="regression",
                **_outputs(info),
                dtype=torch.float32,
                use_safetensors=True,  # a pickled checkpoint can run code
                ignore_mismatched_sizes=new_head,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"the model cannot be loaded: {str(error).splitlines()[0]}",
            where=path,
            fix="Check the name; a folder needs config.json, model.safetensors and a tokenizer",
        ) from error
    if not new_head and (report["missing_keys"] or report["unexpected_keys"]):
        # transformers would fill the gaps with random weights and go on.
        odd = sorted([*report["missing_keys"], *report["unexpected_keys"]])
        raise InputError(
            f"the weights do not fit the network: {', '.join(odd[:3])}", where=path, fix="Get the model again"
        )
    reads = getattr(network.config, "max_position_embeddings", None)
    if reads is not None and info.windows.tokens > reads:
        raise InputError(
            f"windows of {info.windows.tokens} tokens, but this encoder reads {reads}",
            where=path,
            fix="Shorten them",
        )
    if new_head and info.others:
        _reset(output_layer(network), network)
    lacking = {*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])}
    head = next(name for name, module in network.named_modules() if module is output_layer(network))
    return QualityModel(network.eval(), tokenizer, info, not info.others and f"{head}.weight" not in lacking)


def _outputs(info: ModelInfo) -> dict[str, Any]:
    """How many outputs there are; several bear the names of their rubrics, for whoever loads the folder without us."""
    if not info.others:
        return {"num_labels": 1}
    names = [aspect.rubric.name for aspect in info.aspects]
    return {"id2label": dict(enumerate(names)), "label2id": {name: output for output, name in enumerate(names)}}


def _reset(layer: nn.Linear, network: Any) -> None:
    """New weights: an encoder that was saved with a head of just so many outputs would keep it."""
    nn.init.normal_(layer.weight, std=getattr(network.config, "initializer_range", 0.02))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def save_model(model: QualityModel, folder: Path) -> None:
    """Write weights (safetensors), tokenizer and `assay.json` into a folder being staged."""
    with quiet_transformers():
        model.network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes for the owner alone, and a server runs as somebody else
    model.info.write(folder)


def output_layer(network: Any) -> nn.Linear:
    """The linear layer whose outputs are the scores: the last one with as many outputs as the network has."""
    count = network.config.num_labels
    layers = [module for module in network.modules() if isinstance(module, nn.Linear) and module.out_features == count]
    if not layers:
        raise InputError("this encoder's classification head has no linear output", fix="Choose another encoder")
    return layers[-1]
