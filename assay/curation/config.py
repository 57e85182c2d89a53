"""Settings by which the documents of a source become a snapshot."""

from dataclasses import dataclass, field

from assay.cleaning import PAGE_SECONDS, PRESETS, CleanConfig, preset
from assay.dedup import DedupConfig
from assay.errors import InputError
from assay.options import Base, group
from assay.sources import Columns


@dataclass(frozen=True)
class BuildConfig:
    """Settings of a build, applied to every document of a source."""

    columns: Columns = field(default_factory=Columns, metadata=group("text", "id", title="columns of the source"))
    clean: CleanConfig = field(
        default_factory=CleanConfig,
        metadata=group(
            title="cleaning",
            base=Base(
                "preset", "none", preset, f"Named cleaning, which the options below change: {', '.join(PRESETS)}."
            ),
        ),
    )
    dedup: DedupConfig = field(
        default_factory=DedupConfig,
        metadata=group(title="near-duplicates", names={"threshold": "similarity", "recall": "similarity_recall"}),
    )
    keep_duplicates: bool = False
    """Keep all near-duplicates, and do not search for them."""
    page_seconds: float = PAGE_SECONDS
    """Time limit for the extraction of one web page, in seconds."""

    def __post_init__(self) -> None:
        if not self.page_seconds > 0:
            raise InputError(f"page_seconds is {self.page_seconds:g}", fix="Give more than 0")
