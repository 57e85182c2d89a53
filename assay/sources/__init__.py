"""Read raw documents from sources of every kind, and copy them into plain snapshots."""

from assay.sources.acquire import Columns, acquire, canonical, text_of
from assay.sources.corpus import corpus_revision, existing_snapshot, open_corpus
from assay.sources.damage import Damage, Passed, in_words, is_panic, listed
from assay.sources.files import read_batches, read_schema
from assay.sources.kinds import KINDS, kind_of
from assay.sources.listing import list_files
from assay.sources.names import free_names
from assay.sources.period import Period, read_date, read_time
from assay.sources.reference import can_lie, refer
from assay.sources.schemas import with_roles
from assay.sources.source import Source, open_source
from assay.sources.streams import read_text
from assay.storage import is_text, without_surrogates

__all__ = [
    "KINDS",
    "Columns",
    "Damage",
    "Passed",
    "Period",
    "Source",
    "acquire",
    "can_lie",
    "canonical",
    "corpus_revision",
    "existing_snapshot",
    "free_names",
    "in_words",
    "is_panic",
    "is_text",
    "kind_of",
    "list_files",
    "listed",
    "open_corpus",
    "open_source",
    "read_batches",
    "read_date",
    "read_schema",
    "read_text",
    "read_time",
    "refer",
    "text_of",
    "with_roles",
    "without_surrogates",
]
