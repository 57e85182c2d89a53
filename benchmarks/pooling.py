"""Define BERT's sequence classifier with other poolings than its own, as encoders that transformers loads."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    BertPreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from assay.model import locate_encoder
from assay.storage import staged_folder


class PooledBertConfig(BertConfig):
    """Configuration with `pooling`: `mean` over the tokens, or the state of the `first` token."""

    model_type = "pooled_bert"

    def __init__(self, pooling: str = "mean", **fields: Any) -> None:
        super().__init__(**fields)
        self.pooling = pooling


class PooledBert(BertPreTrainedModel):
    """Encoder, a pooling without weights, and a linear output."""

    config_class = PooledBertConfig

    def __init__(self, config: PooledBertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SequenceClassifierOutput:
        state_WTH = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.config.pooling == "first":
            return SequenceClassifierOutput(logits=self.classifier(state_WTH[:, 0]))
        mask_WT1 = attention_mask[:, :, None].to(state_WTH.dtype)
        return SequenceClassifierOutput(logits=self.classifier((state_WTH * mask_WT1).sum(1) / mask_WT1.sum(1)))


def pooled_encoder(encoder: str, pooling: str, place: Path) -> str:
    """Return the folder of a BERT encoder that transformers opens with this pooling, in this process only."""
    AutoConfig.register("pooled_bert", PooledBertConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(PooledBertConfig, PooledBert, exist_ok=True)
    folder = place / f"encoder-{pooling}"
    if not folder.exists():
        source = Path(locate_encoder(encoder)[0])
        with staged_folder(folder) as partial:
            for file in source.iterdir():
                if file.is_file() and file.name != "config.json":
                    shutil.copy(file, partial / file.name)
            fields = AutoConfig.from_pretrained(source, trust_remote_code=False).to_dict()
            PooledBertConfig(pooling=pooling, **{k: v for k, v in fields.items() if k != "model_type"}).save_pretrained(
                partial
            )
    return str(folder)
