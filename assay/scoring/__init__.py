"""Scoring: run a classifier over a corpus, part by part, and write the scores without the texts."""

from assay.scoring.cascade import CascadeConfig, certify, rejection_by, reusable, score_in_cascade
from assay.scoring.certificate import Certificate
from assay.scoring.corpus import plan_scoring, score_corpus, score_snapshot, score_vectors
from assay.scoring.costs import Cost, cost_log
from assay.scoring.from_column import column_digest, score_from_column
from assay.scoring.histogram import BINS, Bins, TokenHistogram
from assay.scoring.measurement import Measurement
from assay.scoring.plan import Part, PartFolder, ScoringConfig, bins_of
from assay.scoring.run import ScoringJob, score_parts
from assay.scoring.sample import SAMPLE_PART, draw, sample_snapshot
from assay.scoring.scores import MANIFEST, Scores, find_scores, read_part, read_rows, scores_of_all
from assay.scoring.sidecar import REJECTED

__all__ = [
    "BINS",
    "MANIFEST",
    "REJECTED",
    "SAMPLE_PART",
    "Bins",
    "CascadeConfig",
    "Certificate",
    "Cost",
    "Measurement",
    "Part",
    "PartFolder",
    "Scores",
    "ScoringConfig",
    "ScoringJob",
    "TokenHistogram",
    "bins_of",
    "certify",
    "column_digest",
    "cost_log",
    "draw",
    "find_scores",
    "plan_scoring",
    "read_part",
    "read_rows",
    "rejection_by",
    "reusable",
    "sample_snapshot",
    "score_corpus",
    "score_from_column",
    "score_in_cascade",
    "score_parts",
    "score_snapshot",
    "score_vectors",
    "scores_of_all",
]
