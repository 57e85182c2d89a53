"""`assay registry add | list | show | promote | rollback | mirror | triton`: versions, and which one is champion."""

import argparse
import json
from typing import Any

import pandas as pd

from assay.cli.options import add_registry, local, registry_of, user
from assay.errors import InputError
from assay.registry import CHAMPION, PREVIOUS, AliasMove, Registry, Version, promote_with_verdict, rollback
from assay.report import print_table
from assay.storage import join, read_bytes, require_folder

SHOWN = ("average_precision", "f1", "precision", "recall", "spearman")
"""Metrics in the list, if a version has them."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True)

    adding = actions.add_parser("add", help="register a model folder that `assay train` wrote")
    adding.add_argument("folder", type=local, help="model folder")
    adding.add_argument(
        "--promote-refused",
        default="",
        metavar="REASON",
        help="make it the first champion although a gate refuses it, for this reason",
    )
    listing = actions.add_parser("list", help="list all versions, the oldest first")
    show = actions.add_parser("show", help="show one version: figures, gates, lineage, and when it was champion")
    show.add_argument("version", help="version, its first six characters or more, or alias")

    promote = actions.add_parser("promote", help="make a version the champion")
    promote.add_argument("version", help="version, its first six characters or more, or alias")
    promote.add_argument(
        "--verdict", default="", metavar="FILE", help="a verdict that `assay challenge` wrote, and that passed"
    )
    promote.add_argument(
        "--in-spite-of-gate", default="", metavar="REASON", help="promote without a passed verdict, for this reason"
    )
    back = actions.add_parser("rollback", help="make the previous champion serve again; twice is once")
    back.add_argument("--of", default="", metavar="VERSION", help="only if this version is champion")
    for moving in (promote, back):
        moving.add_argument("--why", required=True, help="the reason, for the readers of the log")
    for moving in (adding, promote, back):
        moving.add_argument("--who", default="", help="your name in the log (default: the user of this machine)")
    mirror = actions.add_parser(
        "mirror", help="copy a version into MLflow's model registry, with its digest, figures and aliases"
    )
    mirror.add_argument("version", help="version, its first six characters or more, or alias")
    mirror.add_argument(
        "--mlflow", required=True, metavar="URI", help="server or database, such as sqlite:///mlflow.db"
    )
    mirror.add_argument("--name", default="assay", help="registered model in MLflow (default: assay)")
    triton = actions.add_parser(
        "triton", help="write the network of a version as a model repository of NVIDIA's Triton"
    )
    triton.add_argument("version", help="version, its first six characters or more, or alias")
    triton.add_argument("--output", type=local, required=True, help="new folder")
    triton.add_argument("--name", default="assay", help="name of the model in Triton (default: assay)")
    for action in (adding, listing, show, promote, back, mirror, triton):
        add_registry(action)


def run(arguments: argparse.Namespace) -> int:
    """Run the action and return the exit status. Raise InputError for what is missing, or not allowed."""
    url = registry_of(arguments)
    require_folder(url)
    registry = Registry(url)
    actions = {
        "add": _add,
        "list": _list,
        "show": _show,
        "promote": _promote,
        "rollback": _rollback,
        "mirror": _mirror,
        "triton": _triton,
    }
    actions[arguments.action](arguments, registry)
    return 0


def _add(arguments: argparse.Namespace, registry: Registry) -> None:
    from assay.release import register_model, require_golden  # it imports torch, which the other actions do without

    require_golden(arguments.folder)
    added = register_model(
        registry.url, arguments.folder, who=user(arguments.who), promote_refused=arguments.promote_refused
    )
    print(added.sentence)


def _list(_: argparse.Namespace, registry: Registry) -> None:
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
        print(f"{name}: {_in_words(move)}")


def _show(arguments: argparse.Namespace, registry: Registry) -> None:
    version, aliases = registry.get(arguments.version), _aliases(registry)
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
        print(f"  {name} {move.number}: {_in_words(move)}")
        for what, value in move.evidence.items():
            print(f"    {what}: {value}")
    if not moves:
        print("  none")


def _promote(arguments: argparse.Namespace, registry: Registry) -> None:
    move = promote_with_verdict(
        registry,
        arguments.version,
        who=user(arguments.who),
        why=arguments.why,
        verdict=_read(arguments.verdict) if arguments.verdict else None,
        where=arguments.verdict,
        in_spite=arguments.in_spite_of_gate,
    )
    print(f"champion: {_in_words(move)}")
    print(f"previous: {move.previous or 'none, it is the first'}")


def _rollback(arguments: argparse.Namespace, registry: Registry) -> None:
    before = registry.alias(CHAMPION)
    of = registry.get(arguments.of).name if arguments.of else ""
    move = rollback(registry, who=user(arguments.who), why=arguments.why, of=of)
    if before and move.number == before.number:
        print("nothing to roll back: nothing was moved")
    print(f"champion: {_in_words(move)}")


def _mirror(arguments: argparse.Namespace, registry: Registry) -> None:
    from assay.release import mirror_version

    done = mirror_version(registry.url, arguments.version, arguments.mlflow, arguments.name)
    print(f"{arguments.name} version {done.number}: {'; '.join(done.changes) or 'nothing changed'}")


def _triton(arguments: argparse.Namespace, registry: Registry) -> None:
    from assay.inference import write_triton

    version = registry.get(arguments.version)
    with registry.open(version.name) as model:
        worst = write_triton(model, arguments.name, arguments.output)
    print(f"{version.name}: {arguments.output}, off by at most {worst:.1e} labels on the golden documents")


def _aliases(registry: Registry) -> dict[str, AliasMove]:
    return {name: move for name in (CHAMPION, PREVIOUS) if (move := registry.alias(name))}


def _in_words(move: AliasMove) -> str:
    return f"{move.version}, by {move.who}, {move.when[:16].replace('T', ' ')}: {move.why}"


def _gates(registry: Registry, version: Version) -> list[str]:
    """Return a sentence for each gate; none if the model folder has no evaluation."""
    try:
        fields: dict[str, Any] = json.loads(
            read_bytes(join(registry.url, "versions", version.name, "model", "evaluation.json"))
        )
        said = {True: "passed", False: "refused", None: "no verdict"}
        return [f"{v['name']}: {' '.join([said[v['passed']] + '.', *v['reasons']])}" for v in fields.get("gates", [])]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def _read(file: str) -> bytes:
    try:
        return read_bytes(file)
    except OSError as error:
        raise InputError(
            f"the verdict cannot be read: {error}", where=file, fix="Give a file that `assay challenge` wrote"
        ) from error
