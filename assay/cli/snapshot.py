"""`assay snapshot build | show | diff | verify | delete`: a corpus made, and what it holds, and whether it is whole."""

import argparse
import json
import os
from typing import TYPE_CHECKING

from assay.errors import InputError
from assay.progress import say, stage

if TYPE_CHECKING:
    from assay.storage import Change

DIFFERENT = 1
"""Exit status of `diff` where the snapshots differ, as that of diff(1)."""


def add_snapshot(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its subcommands."""
    snapshot = commands.add_parser(
        "snapshot", help="versions of a corpus: build, show, compare, verify, delete documents"
    )
    actions = snapshot.add_subparsers(dest="action", required=True)

    build = actions.add_parser(
        "build",
        help="documents from any source: cleaned, deduplicated, versioned; the same command goes on after a stop",
    )
    build.add_argument(
        "source",
        help="Parquet, JSONL, CSV, WARC, WET or HTML: file, folder, URL; hf://datasets/…; installed-docs[:PACKAGE,…]",
    )
    build.add_argument("--output", required=True, help="the new snapshot, a folder or URL")
    build.add_argument("--preset", default="none", help="of cleaning: none or fineweb (default: none)")
    build.add_argument("--text-column", default="text", help="(default: text)")
    build.add_argument("--id-column", default="", help="(default: id, else a digest of the text)")
    build.add_argument(
        "--benchmarks", default="", help="folder of benchmark texts; documents that hold some are marked"
    )
    build.add_argument("--keep-duplicates", action="store_true", help="look for no duplicates")
    build.add_argument("--similarity", type=float, help="from which texts are near-duplicates (default: 0.7)")
    build.add_argument("--page-seconds", type=float, help="for the extraction of one web page (default: 10)")
    build.add_argument("--shard-megabytes", type=int, help="size of a shard, about (default: 256)")
    build.add_argument("--pieces", default="", help="folder or URL of what is done so far (default: work/pieces)")
    build.add_argument("--processes", type=int, help="that clean side by side (default: one a core)")

    show = actions.add_parser("show", help="what a snapshot holds, and where it came from")
    show.add_argument("snapshot", help="folder or URL")
    show.add_argument("--json", action="store_true", help="the manifest as it is")

    diff = actions.add_parser("diff", help="which documents came, went or changed; status 1 where any did")
    diff.add_argument("old", help="folder or URL")
    diff.add_argument("new", help="folder or URL")

    verify = actions.add_parser("verify", help="whether every byte is what was written")
    verify.add_argument("snapshot", help="folder or URL")

    delete = actions.add_parser("delete", help="a new version without some documents")
    delete.add_argument("snapshot", help="folder or URL")
    delete.add_argument("--ids", required=True, metavar="FILE", help="ids of documents to delete, one a line")
    delete.add_argument("--output", required=True, help="the new snapshot, a folder or URL")


def run(options: argparse.Namespace) -> int:
    """Exit status. Raises InputError for what cannot be read or written."""
    return {"build": _build, "show": _show, "diff": _diff, "verify": _verify, "delete": _delete}[options.action](
        options
    )


def _build(options: argparse.Namespace) -> int:
    from assay.cleaning import preset
    from assay.curation import REPORT, SHARD_MEGABYTES, BuildConfig, Funnel, build_snapshot
    from assay.dedup import DedupConfig
    from assay.report import print_table
    from assay.sources import Columns
    from assay.storage import join

    given = {"page_seconds": options.page_seconds}
    config = BuildConfig(
        Columns(text=options.text_column, id=options.id_column),
        preset(options.preset),
        DedupConfig() if options.similarity is None else DedupConfig(threshold=options.similarity),
        options.keep_duplicates,
        **{name: value for name, value in given.items() if value is not None},
    )
    snapshot = build_snapshot(
        options.source,
        options.output,
        options.pieces or join(os.environ.get("ASSAY_WORK", "work"), "pieces"),
        config,
        benchmarks=options.benchmarks,
        shard_megabytes=SHARD_MEGABYTES if options.shard_megabytes is None else options.shard_megabytes,
        processes=len(os.sched_getaffinity(0)) if options.processes is None else options.processes,
    )
    print_table("What became of the documents", Funnel.from_json(snapshot.manifest.provenance["funnel"]).steps())
    print(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version}")
    print(f"snapshot: {options.output}\n  report: {join(options.output, REPORT)}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from assay.storage import MANIFEST, Snapshot, join, read_bytes

    snapshot = Snapshot.open(options.snapshot)
    if options.json:
        print(read_bytes(join(snapshot.url, MANIFEST)).decode("utf-8"))
        return 0
    manifest = snapshot.manifest
    megabytes = sum(shard.bytes for shard in manifest.shards) / 1e6
    print(f"version   {manifest.version}")
    print(f"documents {manifest.rows:,}")
    print(f"tokens    {manifest.tokens:,} ({manifest.tokenizer})")
    print(f"shards    {len(manifest.shards):,}, {megabytes:,.1f} MB")
    print(f"columns   {', '.join(f'{name} ({kind})' for name, kind in manifest.schema.items())}")
    for source in manifest.provenance.get("sources", []):
        print(f"source    {source['uri']} at {source['revision']}")
    for name, value in manifest.provenance.items():
        if name != "sources":
            print(f"{name:<9} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from assay.storage import Snapshot, difference

    old, new = Snapshot.open(options.old), Snapshot.open(options.new)
    if old.manifest.version == new.manifest.version:
        print(f"the same version: {old.manifest.version}")
        return 0
    found = difference(old, new)
    for name in found.columns_added:
        print(f"+ column {name} ({new.manifest.schema[name]})")
    for name in found.columns_removed:
        print(f"- column {name} ({old.manifest.schema[name]})")
    for name, (before, after) in found.columns_changed.items():
        print(f"~ column {name}: {before}, now {after}")
    for sign, what, change in (
        ("+", "added", found.added),
        ("-", "removed", found.removed),
        ("~", "changed", found.changed),
    ):
        print(f"{sign} {change.documents:,} documents {what}{_examples(change)}")
    print(f"= {found.same:,} documents are the same")
    if found.none:
        print("the same documents; only their order, their shards or how they are stored differ")
    return 0 if found.none else DIFFERENT


def _examples(change: "Change") -> str:
    if not change.documents:
        return ""
    more = " …" if change.documents > len(change.examples) else ""
    return f": {' '.join(change.examples)}{more}"


def _verify(options: argparse.Namespace) -> int:
    from assay.storage import Snapshot

    snapshot = Snapshot.open(options.snapshot)
    with stage("Verify"):
        snapshot.verify()
    print(f"whole: {snapshot.manifest.rows:,} documents, version {snapshot.manifest.version}")
    return 0


def _delete(options: argparse.Namespace) -> int:
    from assay.storage import Snapshot, without

    snapshot = Snapshot.open(options.snapshot)
    ids = _read_ids(options.ids)
    with stage("Delete"):
        new = without(snapshot, ids, options.output)
        deleted = new.manifest.provenance["deleted"]["ids"]
        if unknown := len(ids) - deleted:
            say(f"{unknown:,} of {len(ids):,} ids are not in this snapshot")
    gone = snapshot.manifest.rows - new.manifest.rows
    print(f"{gone:,} documents deleted, {new.manifest.rows:,} left, version {new.manifest.version}")
    print(f"the old version is still there: {snapshot.url}")
    return 0


def _read_ids(file: str) -> set[str]:
    from assay.storage import read_bytes

    try:
        lines = read_bytes(file).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the ids cannot be read: {error}", where=file, fix="Give a text file, one id a line"
        ) from error
    ids = {line.strip() for line in lines if line.strip()}
    if not ids:
        raise InputError("there is no id in it", where=file, fix="Give a text file, one id a line")
    return ids
