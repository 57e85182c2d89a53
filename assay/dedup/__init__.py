"""Find equal and similar documents: text digests, clusters of near-duplicates, shared n-grams."""

from assay.dedup.clusters import near_duplicate_clusters
from assay.dedup.config import DedupConfig
from assay.dedup.mapped import EXACT, clusters_of, pairs_of_band
from assay.dedup.signature_search import near_any, signatures
from assay.dedup.signatures import Marks, marks
from assay.dedup.text import normalise, shingles, span_hashes, text_digest, word_ngrams

__all__ = [
    "EXACT",
    "DedupConfig",
    "Marks",
    "clusters_of",
    "marks",
    "near_any",
    "near_duplicate_clusters",
    "normalise",
    "pairs_of_band",
    "shingles",
    "signatures",
    "span_hashes",
    "text_digest",
    "word_ngrams",
]
