"""`assay deploy` and `assay deployment status | rollback | stop`: which version clients reach, here or in a cluster."""

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from assay.deployment import SETTINGS, target_settings
from assay.errors import InputError
from assay.progress import stage

if TYPE_CHECKING:
    from assay.deployment import Target

NOT_SERVING = 1
"""Exit status of `deployment status` where nothing serves as it should."""


def add_deployment(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands."""
    deploy = commands.add_parser("deploy", help="a registered version to where clients reach it, checked before it is")
    deploy.add_argument("version", help="version of the registry, or an alias such as champion")
    deploy.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    _add_settings(deploy)

    deployment = commands.add_parser("deployment", help="what was deployed: show it, take it back, end it")
    actions = deployment.add_subparsers(dest="action", required=True)
    status = actions.add_parser("status", help="what serves now; status 1 where nothing serves as it should")
    status.add_argument("--json", action="store_true", help="the same as JSON")
    rollback = actions.add_parser("rollback", help="what served before the last deployment serves again")
    stop = actions.add_parser("stop", help="serve nothing any more on this machine")
    for action in (status, rollback, stop):
        action.add_argument("--registry", default="", help=argparse.SUPPRESS)
        _add_settings(action)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for name, (what, default) in SETTINGS.items():
        shown = f"{what} (default: {default})" if default else what
        parser.add_argument(f"--{name}", help=f"{shown}; or ASSAY_DEPLOY_{name.upper()}")


def run(options: argparse.Namespace) -> int:
    """Exit status. Raises InputError for what cannot be deployed, and for a version that failed."""
    from assay.registry import Registry

    registry = options.registry or os.environ.get("ASSAY_REGISTRY", "work/registry")
    action = "deploy" if options.command == "deploy" else options.action
    if action == "deploy":
        # Named before anything is touched: an alias may move while a cluster is at work.
        version = Registry(registry).get(options.version).name
        with stage(f"Deploy {version}"):
            done = _target(options, registry).deploy(version)
        _show(done, "serves" if done.changed else "served already")
    elif action == "rollback":
        with stage("Roll back"):
            done = _target(options, registry).rollback()
        _show(done, "serves again" if done.changed else "was restored already")
    elif action == "stop":
        _stop(options, registry)
    else:
        status = _target(options, registry).status()
        print(json.dumps(asdict(status)) if options.json else f"{status.state}: {status.words}")
        return 0 if status.state == "serving" else NOT_SERVING
    return 0


def _show(done: Any, how: str) -> None:
    before = f"; before it, {done.previous}" if done.previous else ""
    print(f"{done.version} {how} at {done.where}{before}")


def _stop(options: argparse.Namespace, registry: str) -> None:
    from assay.deployment import LocalTarget

    if target_settings({"target": options.target})["target"] == "kubernetes":
        raise InputError("a cluster is not stopped from here", fix="`kubectl delete -k` the overlay")
    target = _target(options, registry)
    assert isinstance(target, LocalTarget)
    target.stop()
    print("nothing is served any more")


def _target(options: argparse.Namespace, registry: str) -> "Target":
    from assay.deployment import open_target

    return open_target({name: getattr(options, name) for name in SETTINGS}, registry)
