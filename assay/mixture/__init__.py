"""Mixture: how often each document is in the training data, by quality, topics and a budget, as references."""

from assay.mixture.manifest import find_mixture
from assay.mixture.passes import advance, scan
from assay.mixture.present import caution, moved_sentence, summary, topic_table
from assay.mixture.request import Materialise, MixingRequest
from assay.mixture.run import find_job, finish, mix_corpus, model_names, parts_of, start
from assay.mixture.state import MixtureJob, MixtureState

__all__ = [
    "Materialise",
    "MixingRequest",
    "MixtureJob",
    "MixtureState",
    "advance",
    "caution",
    "find_job",
    "find_mixture",
    "finish",
    "mix_corpus",
    "model_names",
    "moved_sentence",
    "parts_of",
    "scan",
    "start",
    "summary",
    "topic_table",
]
