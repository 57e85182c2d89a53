"""Mixture: how often each document is in the training data, by quality, topics and a budget, as references."""

from assay.mixture.present import caution, moved_sentence, summary, topic_table
from assay.mixture.request import Materialise, MixingRequest
from assay.mixture.run import mix_corpus, model_names

__all__ = [
    "Materialise",
    "MixingRequest",
    "caution",
    "mix_corpus",
    "model_names",
    "moved_sentence",
    "summary",
    "topic_table",
]
