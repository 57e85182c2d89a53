"""What a build of a corpus is asked for: the one definition behind `assay snapshot build` and the workflow."""

from dataclasses import dataclass, field

from assay.curation.assemble import SHARD_MEGABYTES
from assay.curation.config import BuildConfig
from assay.options import group


@dataclass(frozen=True)
class BuildRequest:
    """Everything that decides which snapshot is made of a source."""

    source: str
    """Documents: Parquet, JSONL, CSV, WARC, WET or HTML as file, folder or URL, hf://datasets/OWNER/NAME@REVISION, or
    installed-docs[:PACKAGE,…]."""
    config: BuildConfig = field(default_factory=BuildConfig, metadata=group())
    benchmarks: str = ""
    """Folder of benchmark texts; documents that share a word 13-gram with one of them are marked."""
    shard_megabytes: int = SHARD_MEGABYTES
    """Approximate size of a shard of the snapshot, in 10^6 bytes."""
