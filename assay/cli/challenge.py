"""`assay challenge`: whether a challenger should become champion, as a verdict that `assay registry promote` takes."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.sources import Columns

NOT_PASSED = 1
"""Exit status where the verdict is refused or undecided."""


def add_challenge(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Add the command, without the options that others share."""
    judge = commands.add_parser(
        "challenge", help="whether a challenger should become champion; status 1 where it does not"
    )
    judge.add_argument("challenger", help="model folder, or version or alias of the registry")
    judge.add_argument(
        "--against", default="champion", help="folder, version or alias it has to beat (default: champion)"
    )
    judge.add_argument("--data", required=True, help="labelled documents, the same test set each time")
    judge.add_argument("--data-until", default="", metavar="DATE", help="day of the newest data it learned from")
    judge.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what is asked of it: mode=better or not_worse, margin, slice_margin, slice_documents, calibration_error, "
        "brier, latency_ms, megabytes, data_days, test_uses, test_days, worn_out=warn or refuse; may be given again",
    )
    return judge


def run(options: argparse.Namespace, columns: "Columns", registry: str) -> int:
    """Exit status. Raises InputError for what cannot be judged."""
    from assay.gates import read_limits
    from assay.promotion import ChallengeRequest, challenge_champion, model_to_beat, read_promotion_limits, rules_table
    from assay.registry import open_model
    from assay.report import print_table
    from assay.sources import read_date

    limits, gates = read_promotion_limits(options.limit), read_limits(options.gate_limit)
    until = read_date(options.data_until, "--data-until")
    with open_model(options.challenger, registry) as challenger, model_to_beat(options.against, registry) as champion:
        judgement = challenge_champion(
            ChallengeRequest(
                challenger,
                champion,
                (options.challenger, options.against),
                options.data,
                columns,
                options.output,
                registry,
                tuple(options.slice_by),
                until,
                limits,
                gates,
            )
        )
    print_table(f"Judged on {judgement.documents:,} documents that it has not seen", rules_table(judgement))
    print(judgement.sentence())
    print(f"verdict: {options.output} and {options.output.with_suffix('.html')}")
    return 0 if judgement.verdict == "promoted" else NOT_PASSED
