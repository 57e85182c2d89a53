"""`assay mix`: scores and a budget in, references with the repeat of each document out."""

import argparse
from contextlib import ExitStack
from typing import get_args

from assay.cli.options import add_registry, add_request, registry_of, request_of
from assay.mixture import (
    Materialise,
    MixingRequest,
    caution,
    mix_corpus,
    model_names,
    moved_sentence,
    summary,
    topic_table,
)
from assay.options import options_of
from assay.registry import open_model
from assay.report import print_table
from assay.storage import place_or_default

SPELLED = {"source": "input"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--scores",
        default="",
        help="folder or URL of the scores (default: ASSAY_SCORES, otherwise scores in the work folder)",
    )
    parser.add_argument("--output", required=True, help="the new mixture, a folder or URL")
    parser.add_argument(
        "--materialise",
        default="",
        choices=[how for how in get_args(Materialise) if how],
        help="write the documents, too: as a stream in a seeded order with all repeats, or each once in the folder of "
        "its cell (default: references alone)",
    )
    add_request(parser, options_of(MixingRequest), SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Mix, print the topics, and return the exit status. Raise InputError for bad input."""
    request = request_of(MixingRequest, arguments, options_of(MixingRequest), SPELLED)
    scores = place_or_default(arguments.scores, "ASSAY_SCORES", "scores")
    with ExitStack() as opened:
        names = model_names(request.ranked_by)
        models = {name: opened.enter_context(open_model(name, registry_of(arguments))) for name in names}
        mixture = mix_corpus(request, models, scores, arguments.output, materialise=arguments.materialise)
    print_table(f"Mixture: {request.mixture.in_words()}", topic_table(mixture))
    print(summary(mixture))
    for line in [*caution(mixture), moved_sentence(mixture), mixture.learned]:
        if line:
            print(line)
    print(f"references, weights, data card and report: {arguments.output}")
    return 0
