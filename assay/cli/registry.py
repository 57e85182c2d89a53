"""`assay registry list | show | promote | rollback`: versions of models, and which one serves."""

import argparse
import getpass
import json
from typing import TYPE_CHECKING, Any

from assay.errors import InputError

if TYPE_CHECKING:
    from assay.registry import AliasMove, Registry, Version

SHOWN = ("average_precision", "f1", "precision", "recall", "spearman")
"""Metrics of the list, where a version has them."""


def add_registry(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its subcommands."""
    registry = commands.add_parser("registry", help="versions of models: list, show, promote, roll back")
    actions = registry.add_subparsers(dest="action", required=True)

    listing = actions.add_parser("list", help="all versions, the oldest first")
    show = actions.add_parser("show", help="one version: figures, gates, lineage, and when it was champion")
    show.add_argument("version", help="version, its first six characters or more, or alias")

    promote = actions.add_parser("promote", help="make a version the champion")
    promote.add_argument("version", help="version, its first six characters or more, or alias")
    promote.add_argument(
        "--verdict", default="", metavar="FILE", help="what `assay challenge --output` wrote, and passed"
    )
    promote.add_argument(
        "--in-spite-of-gate", default="", metavar="REASON", help="promote without a passed verdict, for this reason"
    )
    rollback = actions.add_parser("rollback", help="make the previous champion serve again; twice is once")
    rollback.add_argument("--of", default="", metavar="VERSION", help="only where this version is champion")
    for moving in (promote, rollback):
        moving.add_argument("--why", required=True, help="the reason, for whoever reads the log")
        moving.add_argument("--who", default="", help="(default: the user of this machine)")
    for action in (listing, show, promote, rollback):
        action.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")


def run(options: argparse.Namespace, url: str) -> int:
    """Exit status. Raises InputError for what is not there, or not allowed."""
    from assay.registry import Registry
    from assay.storage import require_folder

    require_folder(url)
    registry = Registry(url)
    if options.action == "list":
        _list(registry)
    else:
        {"show": _show, "promote": _promote, "rollback": _rollback}[options.action](options, registry)
    return 0


def _list(registry: "Registry") -> None:
    import pandas as pd

    from assay.report import print_table

    versions = registry.versions()
    if not versions:
        print(f"no version: {registry.url}")
        return
    aliases = _aliases(registry)
    figures = [version.record.get("metrics") or {} for version in versions]
    names = [name for name in SHOWN if any(name in of for of in figures)]
    rows = [
        {
            "version": version.name,
            "registered": version.created[:16].replace("T", " "),
            "alias": ", ".join(name for name, move in aliases.items() if move.version == version.name),
            **{name.replace("_", " "): of.get(name) for name in names},
        }
        for version, of in zip(versions, figures, strict=True)
    ]
    print_table(f"{len(versions)} versions in {registry.url}", pd.DataFrame(rows))
    for name, move in aliases.items():
        print(f"{name}: {_told(move)}")


def _show(options: argparse.Namespace, registry: "Registry") -> None:
    import pandas as pd

    from assay.report import print_table

    version, aliases = registry.get(options.version), _aliases(registry)
    print(f"version    {version.name}")
    print(f"digest     {version.digest}")
    print(f"registered {version.created}")
    print(f"alias      {', '.join(n for n, move in aliases.items() if move.version == version.name) or 'none'}")
    print(f"files      {len(version.files):,}")
    for name, value in (version.record.get("lineage") or {}).items():
        print(f"{name:<10} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    if metrics := version.record.get("metrics"):
        print_table("Figures", pd.DataFrame([{"metric": name, "value": value} for name, value in metrics.items()]))
    print("gates, when it was trained")
    for sentence in _gates(registry, version) or ["none is known"]:
        print(f"  {sentence}")
    print("moves")
    moves = [
        (name, move)
        for name in aliases
        for move in registry.history(name)
        if version.name in (move.version, move.evidence.get("rolled back"))
    ]
    for name, move in moves:
        print(f"  {name} {move.number}: {_told(move)}")
        for what, value in move.evidence.items():
            print(f"    {what}: {value}")
    if not moves:
        print("  none")


def _promote(options: argparse.Namespace, registry: "Registry") -> None:
    from assay.registry import promote_judged

    move = promote_judged(
        registry,
        options.version,
        who=_who(options),
        why=options.why,
        verdict=_read(options.verdict) if options.verdict else None,
        where=options.verdict,
        in_spite=options.in_spite_of_gate,
    )
    print(f"champion: {_told(move)}")
    print(f"previous: {move.previous or 'none, it is the first'}")


def _rollback(options: argparse.Namespace, registry: "Registry") -> None:
    from assay.registry import CHAMPION, rollback

    before = registry.alias(CHAMPION)
    of = registry.get(options.of).name if options.of else ""
    move = rollback(registry, who=_who(options), why=options.why, of=of)
    if before and move.number == before.number:
        print("nothing to roll back: nothing was moved")
    print(f"champion: {_told(move)}")


def _aliases(registry: "Registry") -> dict[str, "AliasMove"]:
    from assay.registry import CHAMPION, PREVIOUS

    return {name: move for name in (CHAMPION, PREVIOUS) if (move := registry.alias(name))}


def _told(move: "AliasMove") -> str:
    return f"{move.version}, by {move.who}, {move.when[:16].replace('T', ' ')}: {move.why}"


def _gates(registry: "Registry", version: "Version") -> list[str]:
    """A sentence each; empty where the model folder has no evaluation."""
    from assay.storage import join, read_bytes

    try:
        fields: dict[str, Any] = json.loads(
            read_bytes(join(registry.url, "versions", version.name, "model", "evaluation.json"))
        )
        said = {True: "passed", False: "refused", None: "no verdict"}
        return [f"{v['name']}: {' '.join([said[v['passed']] + '.', *v['reasons']])}" for v in fields.get("gates", [])]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def _read(file: str) -> bytes:
    from assay.storage import read_bytes

    try:
        return read_bytes(file)
    except OSError as error:
        raise InputError(
            f"the verdict cannot be read: {error}", where=file, fix="Give a file that `assay challenge` wrote"
        ) from error


def _who(options: argparse.Namespace) -> str:
    try:
        return options.who or getpass.getuser()
    except (OSError, KeyError) as error:  # a container whose user has no name
        raise InputError("nobody knows who you are", fix="Say so with --who") from error
