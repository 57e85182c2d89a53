"""Which documents are the same, or nearly: text digests, and clusters of near-duplicates."""

from assay.dedup.clusters import DedupConfig, near_duplicate_clusters
from assay.dedup.text import normalise, text_digest

__all__ = ["DedupConfig", "near_duplicate_clusters", "normalise", "text_digest"]
