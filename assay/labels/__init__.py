"""Labelled documents: validation, the split into parts, and the leakage that a random split would have had."""

from assay.labels.folds import assign_folds, fitting_part, unseen_parts
from assay.labels.leakage import Leakage
from assay.labels.ledger import PARTS, Ledger
from assay.labels.parts import (
    SEEN_FILES,
    known_before,
    learned_before,
    part_of,
    read_held_out,
    read_test_digests,
    write_held_out,
    write_seen,
)
from assay.labels.prepare import PreparedSplit, read_labels, split_documents
from assay.labels.schema import LabelledDocument, Quarantined
from assay.labels.split import SplitAssignment, SplitConfig, join_units
from assay.labels.stored import StoredSet
from assay.labels.together import LabelledSet, SplitSet, split_together
from assay.labels.unseen import REASONS, Unseen, open_unseen
from assay.labels.validate import Validation, validate

__all__ = [
    "PARTS",
    "REASONS",
    "SEEN_FILES",
    "LabelledDocument",
    "LabelledSet",
    "Leakage",
    "Ledger",
    "PreparedSplit",
    "Quarantined",
    "SplitAssignment",
    "SplitConfig",
    "SplitSet",
    "StoredSet",
    "Unseen",
    "Validation",
    "assign_folds",
    "fitting_part",
    "join_units",
    "known_before",
    "learned_before",
    "open_unseen",
    "part_of",
    "read_held_out",
    "read_labels",
    "read_test_digests",
    "split_documents",
    "split_together",
    "unseen_parts",
    "validate",
    "write_held_out",
    "write_seen",
]
