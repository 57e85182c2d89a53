"""`assay snapshot build`: documents of any source in, a clean, deduplicated, versioned snapshot out."""

import argparse

from assay.cli.options import add_request, request_of
from assay.curation import REPORT, BuildRequest, Funnel, build_snapshot
from assay.options import options_of
from assay.parallel import usable_cores
from assay.report import print_table
from assay.storage import join, place_or_default

SPELLED = {"source": "source"}


def add_build(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", required=True, help="the new snapshot, a folder or URL")
    add_request(parser, options_of(BuildRequest), SPELLED)
    parser.add_argument(
        "--pieces",
        default="",
        help="folder or URL of the pieces that are done (default: ASSAY_PIECES, otherwise pieces in the work folder)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        help="processes that clean (default: one for each core that this machine or container allows)",
    )


def run_build(arguments: argparse.Namespace) -> int:
    """Build, print the funnel, and return the exit status. Raise InputError for what cannot be read or written."""
    request = request_of(BuildRequest, arguments, options_of(BuildRequest), SPELLED)
    snapshot = build_snapshot(
        request.source,
        arguments.output,
        place_or_default(arguments.pieces, "ASSAY_PIECES", "pieces"),
        request.config,
        benchmarks=request.benchmarks,
        shard_megabytes=request.shard_megabytes,
        processes=usable_cores() if arguments.processes is None else arguments.processes,
    )
    print_table("What became of the documents", Funnel.from_json(snapshot.manifest.provenance["funnel"]).steps())
    print(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version}")
    print(f"snapshot: {arguments.output}\n  report: {join(arguments.output, REPORT)}")
    return 0
