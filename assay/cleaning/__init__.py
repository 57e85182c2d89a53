"""Extract the text of web pages, repair it, filter it, and mark overlap with benchmarks."""

from assay.cleaning.clean import MARKS, PRESETS, CleanConfig, Cleaner, preset
from assay.cleaning.decontaminate import NO_OVERLAP, Benchmarks, read_benchmarks
from assay.cleaning.extract import PAGE_SECONDS, Extracted, Extractor, Page, main_text

__all__ = [
    "MARKS",
    "NO_OVERLAP",
    "PAGE_SECONDS",
    "PRESETS",
    "Benchmarks",
    "CleanConfig",
    "Cleaner",
    "Extracted",
    "Extractor",
    "Page",
    "main_text",
    "preset",
    "read_benchmarks",
]
