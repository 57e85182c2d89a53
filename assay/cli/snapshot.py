"""`assay snapshot build | adopt | show | diff | verify | delete | dvc`: versions of a corpus, and what they hold."""

import argparse
import json

from assay.cli.parser import Parser
from assay.errors import InputError
from assay.progress import say, stage
from assay.storage import MANIFEST, Change, Snapshot, difference, join, read_bytes, without, write_dvc

DIFFERENT = 1
"""Exit status of `diff` where the snapshots differ, as that of diff(1)."""
NAMED = 10
"""Unknown ids that `delete` names."""


def add(parser: Parser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True)

    building = actions.add_parser(
        "build", help="clean, deduplicate and version documents of any source; the same command resumes after a stop"
    )
    building.complete = _add_build  # it needs the room of curation, which the other actions do without

    adopt = actions.add_parser("adopt", help="make a snapshot of documents as they are, of Parquet where it lies")
    adopt.add_argument("source", help="Parquet files, as folder or URL; with --copy any source")
    adopt.add_argument("--output", required=True, help="the new snapshot, a folder or URL")
    adopt.add_argument("--text-column", default="text", help="column of the documents (default: text)")
    adopt.add_argument("--id-column", default="", help="column of stable ids (default: id, or digests of the texts)")
    adopt.add_argument("--copy", action="store_true", help="copy the documents, of a source that may change or vanish")

    show = actions.add_parser("show", help="show what a snapshot holds, and where it came from")
    show.add_argument("snapshot", help="folder or URL")
    show.add_argument("--json", action="store_true", help="print the manifest as it is")

    diff = actions.add_parser("diff", help="list added, removed and changed documents; status 1 if there are any")
    diff.add_argument("old", help="folder or URL")
    diff.add_argument("new", help="folder or URL")

    verify = actions.add_parser("verify", help="check that every byte is what was written")
    verify.add_argument("snapshot", help="folder or URL")

    delete = actions.add_parser("delete", help="make a new version without some documents")
    delete.add_argument("snapshot", help="folder or URL")
    delete.add_argument("--ids", required=True, metavar="FILE", help="ids of the documents to delete, one a line")
    delete.add_argument("--output", required=True, help="the new snapshot, a folder or URL")

    dvc = actions.add_parser("dvc", help="write the .dvc file beside a snapshot, with which DVC versions it")
    dvc.add_argument("snapshot", help="folder")


def _add_build(parser: Parser) -> None:
    from assay.cli.build import add_build

    add_build(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the action and return the exit status. Raise InputError for what cannot be read or written."""
    actions = {
        "build": _build,
        "adopt": _adopt,
        "show": _show,
        "diff": _diff,
        "verify": _verify,
        "delete": _delete,
        "dvc": _dvc,
    }
    return actions[arguments.action](arguments)


def _build(arguments: argparse.Namespace) -> int:
    from assay.cli.build import run_build

    return run_build(arguments)


def _adopt(arguments: argparse.Namespace) -> int:
    from assay.sources import Columns, acquire, open_source, refer

    source, columns = open_source(arguments.source), Columns(text=arguments.text_column, id=arguments.id_column)
    with stage("Copy" if arguments.copy else "Read the footers"):
        snapshot = (acquire if arguments.copy else refer)(source, columns, arguments.output)
    print(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version}")
    print(f"snapshot: {arguments.output}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    snapshot = Snapshot.open(arguments.snapshot)
    if arguments.json:
        print(read_bytes(join(snapshot.url, MANIFEST)).decode("utf-8"))
        return 0
    manifest = snapshot.manifest
    megabytes = sum(shard.bytes for shard in manifest.shards) / 1e6
    print(f"version   {manifest.version}")
    print(f"documents {manifest.rows:,}")
    print(f"tokens    {manifest.tokens:,} ({manifest.tokenizer})")
    print(f"shards    {len(manifest.shards):,}, {megabytes:,.1f} MB")
    print(f"columns   {', '.join(f'{name} ({kind})' for name, kind in manifest.schema.items())}")
    if manifest.reference:
        print(f"files     {manifest.reference.root}, read where they lie")
    for source in manifest.provenance.get("sources", []):
        print(f"source    {source['uri']} at {source['revision']}")
    for name, value in manifest.provenance.items():
        if name != "sources":
            print(f"{name:<9} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    old, new = Snapshot.open(arguments.old), Snapshot.open(arguments.new)
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


def _examples(change: Change) -> str:
    if not change.documents:
        return ""
    more = " …" if change.documents > len(change.examples) else ""
    return f": {' '.join(change.examples)}{more}"


def _verify(arguments: argparse.Namespace) -> int:
    snapshot = Snapshot.open(arguments.snapshot)
    with stage("Verify"):
        snapshot.verify()
    print(f"whole: {snapshot.manifest.rows:,} documents, version {snapshot.manifest.version}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    snapshot = Snapshot.open(arguments.snapshot)
    ids = _read_ids(arguments.ids)
    with stage("Delete"):
        new = without(snapshot, ids, arguments.output)
        if new.manifest.provenance["deleted"]["ids"] < len(ids):
            say(_unknown(snapshot, ids))
    gone = snapshot.manifest.rows - new.manifest.rows
    print(f"{gone:,} documents deleted, {new.manifest.rows:,} left, version {new.manifest.version}")
    print(f"the old version is still there: {snapshot.url}")
    return 0


def _dvc(arguments: argparse.Namespace) -> int:
    with stage("Digest"):
        place = write_dvc(Snapshot.open(arguments.snapshot))
    print(f"{place} is written; `dvc commit --force {place.name}` stores the snapshot in the cache of DVC")
    return 0


def _unknown(snapshot: Snapshot, ids: set[str]) -> str:
    """Return a sentence that names the ids which a snapshot does not have."""
    unknown = set(ids)
    for batch in snapshot.batches(["id"]):
        unknown.difference_update(batch["id"].to_pylist())
    named = ", ".join(repr(name) for name in sorted(unknown)[:NAMED])
    more = ", …" if len(unknown) > NAMED else ""
    return f"{len(unknown):,} of {len(ids):,} ids are not in this snapshot: {named}{more}"


def _read_ids(file: str) -> set[str]:
    from assay.sources import read_text

    try:
        text = read_text(read_bytes(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the ids cannot be read: {error}", where=file, fix="Give a text file, one id a line"
        ) from error
    # Not `splitlines`: it also splits at characters that an id may contain, such as U+2028.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ids = {line.strip() for line in lines if line.strip()}
    if not ids:
        raise InputError("there is no id in it", where=file, fix="Give a text file, one id a line")
    return ids
