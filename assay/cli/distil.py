"""`assay distil`: a corpus and a full model in, a cheap model out."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.evaluation import summary_table
from assay.options import options_of
from assay.pipeline import DistilRequest, distil
from assay.registry import open_model
from assay.report import print_table
from assay.storage import place_or_default

SPELLED = {"source": "input"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", required=True, type=local, help="new model folder")
    parser.add_argument(
        "--scores",
        default="",
        help="folder or URL of the sample and its scores; existing ones are kept (default: ASSAY_SCORES, otherwise "
        "scores in the work folder)",
    )
    add_request(parser, options_of(DistilRequest), SPELLED)
    parser.add_argument(
        "--processes", type=int, help="processes that score the sample (default: as many as pay for their start)"
    )
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Distil, print how far the two models agree, and return the exit status. Raise InputError for bad input."""
    request = request_of(DistilRequest, arguments, options_of(DistilRequest), SPELLED)
    work = place_or_default(arguments.scores, "ASSAY_SCORES", "scores")
    with open_model(request.model, registry_of(arguments)) as teacher:
        (evaluation,) = distil(request, teacher, work, arguments.output, processes=arguments.processes).values()
    print_table(
        f"Agreement with the full model on {evaluation.documents:,} documents that it was not distilled from",
        summary_table(evaluation),
    )
    for warning in evaluation.warnings:
        print(f"! {warning}")
    print(f"model, card and report: {arguments.output}")
    return 0
