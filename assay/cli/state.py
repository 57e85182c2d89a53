"""`assay state`: champion, scores over time, alarms, decisions and cost on one page."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from assay.errors import InputError


def add_state(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, local: Callable[[str], Path]) -> None:
    """Add the command. `local` reads a path of this machine."""
    state = commands.add_parser("state", help="champion, scores over time, alarms, decisions and cost on one page")
    state.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    state.add_argument("--looks", default="", help="folder or URL of looks: what `assay watch --looks` was given")
    state.add_argument("--log", default="", help="score log of the service: what ASSAY_SERVE_LOG was set to")
    state.add_argument("--days", type=int, default=30, help="of the score log (default: 30)")
    state.add_argument("--output", type=local, default=Path("state.html"), help="(default: state.html)")


def run(options: argparse.Namespace) -> int:
    """Exit status. Raises InputError for a place that is a file, and where the page cannot be written."""
    from assay.overview import page_of_state

    if options.output.suffix not in (".html", ".htm"):
        raise InputError("the state is a page", where=str(options.output), fix="Give a name that ends in .html")
    registry = options.registry or os.environ.get("ASSAY_REGISTRY", "work/registry")
    page = page_of_state(registry, options.output, looks=options.looks, log=options.log, days=options.days)
    print(f"state: {page}")
    return 0
