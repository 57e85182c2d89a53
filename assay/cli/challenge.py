"""`assay challenge`: check if a challenger may become champion, and write the verdict for `assay registry promote`."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.options import options_of
from assay.promotion import ChallengeRequest, challenge_champion, model_to_beat, rules_table
from assay.registry import open_model
from assay.report import print_table

NOT_PASSED = 1
"""Exit status if the verdict is refused or undecided."""
SPELLED = {"source": "--data"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("challenger", help="model folder, or version or alias of the registry")
    parser.add_argument(
        "--against", default="champion", help="folder, version or alias that it has to beat (default: champion)"
    )
    parser.add_argument("--output", required=True, type=local, help="the verdict, .json (and .html beside it)")
    add_request(parser, options_of(ChallengeRequest), SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the rules and the verdict, and return the exit status. Raise InputError for bad input."""
    request = request_of(ChallengeRequest, arguments, options_of(ChallengeRequest), SPELLED)
    registry = registry_of(arguments)
    with (
        open_model(arguments.challenger, registry) as challenger,
        model_to_beat(arguments.against, registry) as champion,
    ):
        judgement = challenge_champion(
            request,
            challenger,
            champion,
            names=(arguments.challenger, arguments.against),
            output=arguments.output,
            registry=registry,
        )
    print_table(f"Compared on {judgement.documents:,} documents that it has not seen", rules_table(judgement))
    print(judgement.sentence())
    print(f"verdict: {arguments.output} and {arguments.output.with_suffix('.html')}")
    return 0 if judgement.verdict == "promoted" else NOT_PASSED
