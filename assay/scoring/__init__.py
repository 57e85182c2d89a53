"""The classifier over a corpus: planned into parts, scored into sidecars beside the documents, counted as it goes."""

from assay.scoring.histogram import Bins, Counts, TokenHistogram
from assay.scoring.plan import Part, PartFolder, Plan, ScoringConfig, deal
from assay.scoring.run import score_parts
from assay.scoring.scores import MANIFEST, Scores, find_scores
from assay.scoring.sidecar import Sidecar, Totals

__all__ = [
    "MANIFEST",
    "Bins",
    "Counts",
    "Part",
    "PartFolder",
    "Plan",
    "Scores",
    "ScoringConfig",
    "Sidecar",
    "TokenHistogram",
    "Totals",
    "deal",
    "find_scores",
    "score_parts",
]
