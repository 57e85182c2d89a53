"""`assay state`: champion, scores over time, alarms, decisions and cost on one page."""

import argparse
from pathlib import Path

from assay.cli.options import add_registry, local, registry_of
from assay.errors import InputError
from assay.overview import StatePlaces, page_of_state
from assay.storage import place_or_default


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--looks", default="", help="folder or URL of drift looks that `assay watch --looks` was given")
    parser.add_argument("--log", default="", help="score log of the service: the value of ASSAY_SERVE_LOG")
    parser.add_argument("--days", type=int, default=30, help="days of the score log (default: 30)")
    parser.add_argument(
        "--scores",
        default="",
        help="folder or URL of the scores, whose costs are shown (default: ASSAY_SCORES, otherwise scores in the work "
        "folder)",
    )
    parser.add_argument(
        "--core-hour", type=float, default=0.0, metavar="PRICE", help="price of an hour of a processor core"
    )
    parser.add_argument("--gpu-hour", type=float, default=0.0, metavar="PRICE", help="price of an hour of a GPU")
    parser.add_argument(
        "--output", type=local, default=Path("state.html"), help="the page, .html (default: state.html)"
    )
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and return the exit status. Raise InputError for a place that cannot be read or written."""
    if arguments.output.suffix not in (".html", ".htm"):
        raise InputError("the state is a page", where=str(arguments.output), fix="Give a name that ends in .html")
    places = StatePlaces(
        registry_of(arguments),
        looks=arguments.looks,
        log=arguments.log,
        days=arguments.days,
        scores=place_or_default(arguments.scores, "ASSAY_SCORES", "scores"),
        core_hour=arguments.core_hour,
        gpu_hour=arguments.gpu_hour,
    )
    page = page_of_state(places, arguments.output)
    print(f"state: {page}")
    return 0
