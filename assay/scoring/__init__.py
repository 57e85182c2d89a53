"""The classifier over a corpus: sidecars of scores beside the documents, never a copy of the text."""

from assay.scoring.score import Sidecar, score_source

__all__ = ["Sidecar", "score_source"]
