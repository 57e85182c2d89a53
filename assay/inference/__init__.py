"""Tokenize and run the encoder: windows -> tokens -> batches -> scores, and the golden check.

No other room does it, so that training, evaluation and service cannot differ.
"""

from assay.inference.assess import REASONS, Assessed, Assessment, Limits, assess
from assay.inference.backends import (
    arithmetic_of,
    export_network,
    is_exported,
    require_backend,
    worth_measuring,
)
from assay.inference.encode import EncodedText, encode
from assay.inference.forward import document_scores, token_budget_batches
from assay.inference.golden import GoldenReport, check_golden, read_golden, write_golden
from assay.inference.near_cut import Band
from assay.inference.scorer import Scorer
from assay.inference.spans import WORDS, SpanReader, span_reader
from assay.inference.tokens import TokenCounter, token_counter
from assay.inference.triton import write_triton

__all__ = [
    "REASONS",
    "WORDS",
    "Assessed",
    "Assessment",
    "Band",
    "EncodedText",
    "GoldenReport",
    "Limits",
    "Scorer",
    "SpanReader",
    "TokenCounter",
    "arithmetic_of",
    "assess",
    "check_golden",
    "document_scores",
    "encode",
    "export_network",
    "is_exported",
    "read_golden",
    "require_backend",
    "span_reader",
    "token_budget_batches",
    "token_counter",
    "worth_measuring",
    "write_golden",
    "write_triton",
]
