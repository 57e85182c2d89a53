"""What is done to the documents of a source before they are a snapshot."""

from dataclasses import dataclass, field
from typing import Any

from assay.cleaning import PAGE_SECONDS, CleanConfig
from assay.dedup import DedupConfig
from assay.errors import InputError
from assay.sources import Columns


@dataclass(frozen=True)
class BuildConfig:
    """What is done to every document of a source."""

    columns: Columns = field(default_factory=Columns)
    clean: CleanConfig = field(default_factory=CleanConfig)
    dedup: DedupConfig = field(default_factory=DedupConfig)
    keep_duplicates: bool = False
    """Search for none, and keep them all."""
    page_seconds: float = PAGE_SECONDS
    """For the extraction of one page."""

    def __post_init__(self) -> None:
        if not self.page_seconds > 0:
            raise InputError(f"page_seconds is {self.page_seconds:g}", fix="Give more than 0")

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "BuildConfig":
        """The inverse of `asdict`, of plain JSON values; raises KeyError or TypeError for anything else."""
        clean = {**fields["clean"], "languages": tuple(fields["clean"]["languages"])}
        rest = {name: fields[name] for name in ("keep_duplicates", "page_seconds")}
        return cls(Columns(**fields["columns"]), CleanConfig(**clean), DedupConfig(**fields["dedup"]), **rest)
