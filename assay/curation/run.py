"""Build a snapshot from a source: all steps, one after the other, on this machine."""

from assay.curation.assemble import SHARD_MEGABYTES, assemble, provenance_of
from assay.curation.config import BuildConfig
from assay.curation.duplicates import search_bands
from assay.curation.make import make_pieces
from assay.curation.plan import BuildPlan, PieceFolder
from assay.parallel import require_processes
from assay.progress import say, stage
from assay.sources import listed, open_source
from assay.storage import Snapshot, find_made


def build_snapshot(
    source: str,
    output: str,
    root: str,
    config: BuildConfig,
    *,
    benchmarks: str = "",
    shard_megabytes: int = SHARD_MEGABYTES,
    processes: int = 1,
) -> Snapshot:
    """Clean a source piece by piece below `root`, find its duplicates, and write the snapshot at `output`.

    `benchmarks`: file or folder of benchmark texts that are searched in the documents; empty for none. What exists is
    not made again: the same call resumes after a stop, and does nothing after the end. Raise InputError for a source, a
    setting or a place that cannot be used.
    """
    require_processes(processes, "curation")
    with stage("Resolve the source"):
        plan = BuildPlan.of(open_source(source), config, benchmarks)
        say(f"{sum(map(len, plan.members)):,} members in {len(plan.members):,} pieces, key {plan.key}")
        if plan.passed:
            say(f"passed over: {listed(plan.passed)}")
        provenance = provenance_of(plan, shard_megabytes)
    if found := find_made(output, provenance):
        say("this snapshot exists already")
        return found
    folder = PieceFolder.create(root, plan)
    with stage("Clean"):
        missing = folder.missing_pieces()
        if existing := len(plan.members) - len(missing):
            say(f"{existing:,} of {len(plan.members):,} pieces exist already")
        make_pieces(folder, missing, processes=processes, location=source)
    if plan.bands:
        with stage("Find duplicates"):
            search_bands(folder, folder.missing_bands())
    with stage("Write the snapshot"):
        snapshot = assemble(folder, output, shard_megabytes=shard_megabytes)
        say(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version[:12]}")
    return snapshot
