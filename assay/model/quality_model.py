"""A quality model: network, tokenizer and `assay.json`, from a new encoder or from a model folder of either kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import InputError
from assay.lexical import LexicalWeights
from assay.model.encoder import locate_encoder, quiet_transformers, refuse_own_code
from assay.model.info import ModelInfo
from assay.model.lexical_model import LexicalModel
from assay.model.pooling import carries_mean, carry_mean
from assay.parallel import limit_threads

if TYPE_CHECKING:
    from torch import nn


@dataclass
class QualityModel:
    """Network, tokenizer and metadata: all that scoring needs."""

    network: Any
    """transformers sequence classifier with one output for each rubric."""
    tokenizer: Any
    """transformers tokenizer of the encoder."""
    info: ModelInfo
    trained_head: bool = False
    """True if the head was loaded with the encoder: its outputs are scores on the scale of the labels."""
    words: LexicalWeights | None = None
    """The lexical part of a hybrid."""

    @property
    def lexical(self) -> LexicalModel | None:
        """The lexical part of a hybrid as a model of its own; None without one."""
        return None if self.words is None else LexicalModel(self.words, self.info.words_alone())


def new_model(info: ModelInfo, *, seed: int, mean: bool = False) -> QualityModel:
    """Return the pretrained encoder with a new head, whose weights depend on `seed`.

    A classifier with one output keeps its own head. `mean`: the head reads the mean over the tokens (`carry_mean`); a
    head that read the first token is replaced. Raise InputError for an unknown encoder, for windows longer than the
    encoder reads, and for a mean over the tokens of an encoder that is no BERT.
    """
    import torch

    torch.manual_seed(seed)  # for the head: transformers draws its initial weights while loading
    model = _open(*locate_encoder(info.encoder), info, new_head=True)
    if not mean or carries_mean(model.network):
        return model
    if model.trained_head:
        _reset(output_layer(model.network), model.network)
    carry_mean(model.network)
    return replace(model, trained_head=False)


def load_model(folder: Path) -> QualityModel | LexicalModel:
    """Return a saved model, ready to score. Raise InputError if the folder holds no model or a damaged one."""
    info = ModelInfo.read(folder)
    if info.kind == "lexical":
        return LexicalModel(LexicalWeights.load(folder, len(info.aspects)), info)
    words = LexicalWeights.load(folder, len(info.aspects)) if info.kind == "hybrid" else None
    return replace(_open(str(folder), None, info, new_head=False), words=words)


def _open(path: str, revision: str | None, info: ModelInfo, *, new_head: bool) -> QualityModel:
    # Imported here, as in this whole room: torch takes two seconds, and most commands and tasks compute no score.
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    limit_threads()
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or "main", trust_remote_code=False)
            network, report = AutoModelForSequenceClassification.from_pretrained(
                path,
                revision=revision or "main",
                problem_type="regression",
                **_outputs(info),
                dtype=torch.float32,
                use_safetensors=True,  # a pickled checkpoint can run code
                trust_remote_code=False,  # without it transformers asks the terminal, and `yes |` answers
                ignore_mismatched_sizes=new_head,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        refuse_own_code(error, path)
        raise InputError(
            f"the model cannot be loaded: {str(error).splitlines()[0]}",
            where=path,
            fix="Check the name; a folder needs config.json, model.safetensors and a tokenizer",
        ) from error
    if not new_head and (report["missing_keys"] or report["unexpected_keys"]):
        # transformers would fill the gaps with random weights, without an error.
        odd = sorted([*report["missing_keys"], *report["unexpected_keys"]])
        raise InputError(
            f"the weights do not fit the network: {', '.join(odd[:3])}", where=path, fix="Get the model again"
        )
    # Longer windows would fail in the position embeddings at the first batch, with an index error.
    reads = getattr(network.config, "max_position_embeddings", None)
    if reads is not None and info.windows.tokens > reads:
        raise InputError(
            f"windows of {info.windows.tokens} tokens, but this encoder reads {reads}",
            where=path,
            fix="Shorten them",
        )
    if new_head and info.others:
        # A saved classifier with the same number of outputs would keep its head, which was trained for something else.
        _reset(output_layer(network), network)
    lacking = {*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])}
    head = next(name for name, module in network.named_modules() if module is output_layer(network))
    return QualityModel(network.eval(), tokenizer, info, not info.others and f"{head}.weight" not in lacking)


def _outputs(info: ModelInfo) -> dict[str, Any]:
    """Return the config of the outputs. Several are named by their rubrics, for users of plain transformers."""
    if not info.others:
        return {"num_labels": 1}
    names = [aspect.rubric.name for aspect in info.aspects]
    return {"id2label": dict(enumerate(names)), "label2id": {name: output for output, name in enumerate(names)}}


def _reset(layer: nn.Linear, network: Any) -> None:
    """Give the layer new random weights."""
    from torch import nn

    nn.init.normal_(layer.weight, std=getattr(network.config, "initializer_range", 0.02))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def save_model(model: QualityModel | LexicalModel, folder: Path) -> None:
    """Write weights (safetensors), tokenizer and `assay.json` into a folder being staged."""
    model.info.write(folder)
    if isinstance(model, LexicalModel):
        model.weights.save(folder)
        return
    with quiet_transformers():
        model.network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    if model.words is not None:
        model.words.save(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes with mode 0600, and a server runs as another user


def output_layer(network: Any) -> nn.Linear:
    """Return the linear layer whose outputs are the scores: the last one with as many outputs as the network.

    Raise InputError if the network has no such layer.
    """
    from torch import nn

    count = network.config.num_labels
    layers = [module for module in network.modules() if isinstance(module, nn.Linear) and module.out_features == count]
    if not layers:
        raise InputError("this encoder's classification head has no linear output", fix="Choose another encoder")
    return layers[-1]
