"""The classifier over a corpus: planned into parts, scored into sidecars beside the documents, counted as it goes."""

from assay.scoring.plan import Part, PartFolder, ScoringConfig, deal
from assay.scoring.run import plan_scoring, score_corpus, score_parts
from assay.scoring.scores import MANIFEST, Scores, find_scores

__all__ = [
    "MANIFEST",
    "Part",
    "PartFolder",
    "Scores",
    "ScoringConfig",
    "deal",
    "find_scores",
    "plan_scoring",
    "score_corpus",
    "score_parts",
]
