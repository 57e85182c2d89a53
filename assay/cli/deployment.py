"""`assay deployment status | rollback | stop | restore | keep`: what was deployed, here or in a cluster."""

import argparse
import json
from dataclasses import asdict

from assay.cli.options import registry_of
from assay.deployment import Deployed, LocalTarget, Target, open_target, setting_help, target_settings
from assay.errors import InputError
from assay.progress import stage

NOT_SERVING = 1
"""Exit status of `status` if nothing serves as it should."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True)
    status = actions.add_parser("status", help="show what serves now; status 1 if nothing serves as it should")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    back = actions.add_parser("rollback", help="serve again what served before the last deployment")
    stop = actions.add_parser("stop", help="stop serving on this machine")
    again = actions.add_parser(
        "restore", help="serve again what was deployed last on this machine, if it does not serve"
    )
    keep = actions.add_parser("keep", help="restore, then stay and start again whatever ends; for systemd")
    for action in (status, back, stop, again, keep):
        action.add_argument("--registry", default="", help=argparse.SUPPRESS)
        add_target(action)


def add_target(parser: argparse.ArgumentParser, *, canary: bool = False) -> None:
    """Add the settings of a target, with those of a canary if `canary`; `open_target_of` reads them."""
    for name, (what, default) in setting_help(canary=canary).items():
        shown = f"{what} (default: {default})" if default else what
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, help=f"{shown}; or ASSAY_DEPLOY_{name.upper()}".replace("%", "%%"))


def open_target_of(arguments: argparse.Namespace, registry: str) -> Target:
    """Return the target of a command line. Raise InputError if a setting cannot be used."""
    return open_target(given_settings(arguments), registry)


def given_settings(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Return the settings of a target that a command line gives; None for those that it does not."""
    return {name: getattr(arguments, name, None) for name in setting_help(canary=True)}


def print_deployed(done: Deployed, how: str) -> None:
    """Print which version serves where, and what served before it."""
    before = f"; before it, {done.previous}" if done.previous else ""
    print(f"{done.version} {how} at {done.where}{before}")


def run(arguments: argparse.Namespace) -> int:
    """Run the action and return the exit status. Raise InputError if the target cannot do it."""
    registry = registry_of(arguments)
    if arguments.action == "status":
        status = open_target_of(arguments, registry).status()
        print(json.dumps(asdict(status)) if arguments.json else f"{status.state}: {status.words}")
        return 0 if status.state == "serving" else NOT_SERVING
    if arguments.action == "rollback":
        with stage("Roll back"):
            done = open_target_of(arguments, registry).rollback()
        print_deployed(done, "serves again" if done.changed else "was restored already")
    else:
        _here(arguments, registry)
    return 0


def _here(arguments: argparse.Namespace, registry: str) -> None:
    """Run an action that only this machine has."""
    chosen = target_settings({"target": arguments.target})["target"]
    if chosen in ("sagemaker", "vertex"):
        fix = "`aws sagemaker delete-endpoint`" if chosen == "sagemaker" else "`gcloud ai endpoints delete`"
        raise InputError(f"{chosen} keeps its endpoints alive by itself", where="assay deployment", fix=fix)
    if chosen == "kubernetes":
        if arguments.action == "stop":
            raise InputError("a cluster is not stopped from here", fix="`kubectl delete -k` the overlay")
        raise InputError("a cluster itself starts again what ends", where=f"assay deployment {arguments.action}")
    target = open_target_of(arguments, registry)
    assert isinstance(target, LocalTarget)
    if arguments.action == "stop":
        target.stop()
        print("nothing is served any more")
    elif arguments.action == "keep":
        target.keep()
    else:
        with stage("Restore"):
            done = target.restore()
        print_deployed(done, "serves again" if done.changed else "serves already")
