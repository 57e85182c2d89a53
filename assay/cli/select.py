"""`assay select`: scores in, the best documents out as a snapshot."""

import argparse

from assay.cli.options import add_registry, add_request, registry_of, request_of
from assay.options import options_of, subset
from assay.registry import open_model
from assay.report import print_table
from assay.selection import FilteringRequest, funnel_table, mix_sentences, promise, select_corpus
from assay.storage import place_or_default

SPELLED = {"source": "input"}
OPTIONS = subset(options_of(FilteringRequest), "source", "model", "columns", "period", "selection")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--scores",
        default="",
        help="folder or URL of the scores (default: ASSAY_SCORES, otherwise scores in the work folder)",
    )
    parser.add_argument("--output", required=True, help="the new selection, a folder or URL")
    add_request(parser, OPTIONS, SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Select, print the funnel, and return the exit status. Raise InputError for bad input."""
    request = request_of(FilteringRequest, arguments, OPTIONS, SPELLED)
    scores = place_or_default(arguments.scores, "ASSAY_SCORES", "scores")
    with open_model(request.model, registry_of(arguments)) as model:
        selection = select_corpus(
            request.source,
            model,
            request.columns,
            scores,
            request.selection,
            arguments.output,
            period=request.period,
        )
    print_table(f"Selected: {request.selection.in_words()}", funnel_table(selection))
    print(promise(selection))
    for sentence in mix_sentences(selection):
        print(sentence)
    print(f"selection, data card and report: {arguments.output}")
    return 0
