"""`assay serve`: a registered model over HTTP, in the foreground."""

import argparse

from assay.cli.options import add_registry, local, registry_of
from assay.progress import say, stage
from assay.registry import Registry
from assay.serving import build_bento, serve_forever
from assay.storage import work_folder


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", default="champion", help="version or alias of the registry (default: champion)")
    parser.add_argument("--bentos", type=local, help="folder of built Bentos (default: bentos in the work folder)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=3000, help="port to listen at (default: 3000)")
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped, and return the exit status. Raise InputError for bad input."""
    registry = Registry(registry_of(arguments))
    version = registry.get(arguments.model)
    output = (arguments.bentos or work_folder() / "bentos") / version.name
    # A Bento of earlier code would be served unnoticed: it is built again each time.
    with stage("Package"), registry.open(version.name) as model:
        build_bento(model, version.name, output, created=version.created, replace=True)
        say(f"{arguments.model}, version {version.name}: {output}")
    serve_forever(output, port=arguments.port, host=arguments.host)
    return 0
