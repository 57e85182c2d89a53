"""Labelled documents: which can be trusted, which part each belongs to, what a careless split would have leaked."""

from assay.labels.leakage import Leakage, Share, measure_leakage
from assay.labels.ledger import Ledger
from assay.labels.parts import part_of, read_seen, write_seen
from assay.labels.prepare import PreparedSplit, read_labels, split_documents
from assay.labels.schema import LabelledDocument, Quarantined
from assay.labels.split import SplitAssignment, SplitConfig, SplitResult, join_units, split
from assay.labels.unseen import Unseen, find_unseen
from assay.labels.validate import Validation, validate

__all__ = [
    "LabelledDocument",
    "Leakage",
    "Ledger",
    "PreparedSplit",
    "Quarantined",
    "Share",
    "SplitAssignment",
    "SplitConfig",
    "SplitResult",
    "Unseen",
    "Validation",
    "find_unseen",
    "join_units",
    "measure_leakage",
    "part_of",
    "read_labels",
    "read_seen",
    "split",
    "split_documents",
    "validate",
    "write_seen",
]
