"""Scoring: run a classifier over a corpus, part by part, and write the scores without the texts."""

from assay.scoring.histogram import BINS
from assay.scoring.plan import Part, PartFolder, ScoringConfig
from assay.scoring.run import ScoringJob, plan_scoring, score_corpus, score_parts
from assay.scoring.scores import MANIFEST, Scores, find_scores

__all__ = [
    "BINS",
    "MANIFEST",
    "Part",
    "PartFolder",
    "Scores",
    "ScoringConfig",
    "ScoringJob",
    "find_scores",
    "plan_scoring",
    "score_corpus",
    "score_parts",
]
