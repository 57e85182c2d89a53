"""Raw documents in: sources of every kind, their extraction, cleaning and decontamination, and plain snapshots."""

from assay.corpus.acquire import Columns, acquire, canonical, text_of
from assay.corpus.clean import CleanConfig, Cleaner, preset
from assay.corpus.damage import Damage
from assay.corpus.decontaminate import NO_OVERLAP, Benchmarks, read_benchmarks
from assay.corpus.extract import PAGE_SECONDS, Extracted, Extractor, Page
from assay.corpus.files import kind_of
from assay.corpus.period import Period, read_date, read_time
from assay.corpus.source import Source, open_source

__all__ = [
    "NO_OVERLAP",
    "PAGE_SECONDS",
    "Benchmarks",
    "CleanConfig",
    "Cleaner",
    "Columns",
    "Damage",
    "Extracted",
    "Extractor",
    "Page",
    "Period",
    "Source",
    "acquire",
    "canonical",
    "kind_of",
    "open_source",
    "preset",
    "read_benchmarks",
    "read_date",
    "read_time",
    "text_of",
]
