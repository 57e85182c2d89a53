"""A lexical model: weights over hashed words, and `assay.json`."""

from dataclasses import dataclass

from assay.lexical import LexicalWeights
from assay.model.info import ModelInfo


@dataclass
class LexicalModel:
    """All that scoring by words needs. Its folder has no network and no tokenizer."""

    weights: LexicalWeights
    info: ModelInfo
