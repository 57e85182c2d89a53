"""Curation: turn a source into a clean, deduplicated, versioned snapshot, and keep a record of all that was dropped."""

from assay.curation.assemble import REPORT, assemble, provenance_of
from assay.curation.config import BuildConfig
from assay.curation.duplicates import search_bands
from assay.curation.funnel import Funnel
from assay.curation.make import make_pieces
from assay.curation.plan import BuildPlan, Piece, PieceFolder
from assay.curation.request import BuildRequest
from assay.curation.run import build_snapshot

__all__ = [
    "REPORT",
    "BuildConfig",
    "BuildPlan",
    "BuildRequest",
    "Funnel",
    "Piece",
    "PieceFolder",
    "assemble",
    "build_snapshot",
    "make_pieces",
    "provenance_of",
    "search_bands",
]
