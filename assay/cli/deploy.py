"""`assay deploy`: a registered version to where clients reach it, here or in a cluster."""

import argparse

from assay.canary import run_canary
from assay.cli.deployment import add_target, given_settings, open_target_of, print_deployed
from assay.cli.options import add_registry, registry_of
from assay.deployment import canary_of
from assay.progress import stage
from assay.registry import Registry


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("version", help="version of the registry, or an alias such as champion")
    add_target(parser, canary=True)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy and return the exit status. Raise InputError for an unknown version, and for one that fails.

    With a canary, a version that its tests refuse fails.
    """
    registry = registry_of(arguments)
    # The name is resolved before anything changes: an alias may move while a cluster is at work.
    version = Registry(registry).get(arguments.version).name
    canary = canary_of(given_settings(arguments))
    target = open_target_of(arguments, registry)
    with stage(f"Canary of {version}" if canary else f"Deploy {version}"):
        done = run_canary(target, version, canary, registry) if canary else target.deploy(version)
    print_deployed(done, "serves" if done.changed else "served already")
    return 0
