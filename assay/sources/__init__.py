"""Read raw documents from sources of every kind, and copy them into plain snapshots."""

from assay.sources.acquire import Columns, acquire, canonical, text_of
from assay.sources.corpus import corpus_revision, existing_snapshot, open_corpus
from assay.sources.damage import Damage
from assay.sources.files import KINDS, kind_of, read_batches, read_schema
from assay.sources.period import Period, read_date, read_time
from assay.sources.source import Source, open_source
from assay.sources.utf8 import is_text, without_surrogates

__all__ = [
    "KINDS",
    "Columns",
    "Damage",
    "Period",
    "Source",
    "acquire",
    "canonical",
    "corpus_revision",
    "existing_snapshot",
    "is_text",
    "kind_of",
    "open_corpus",
    "open_source",
    "read_batches",
    "read_date",
    "read_schema",
    "read_time",
    "text_of",
    "without_surrogates",
]
