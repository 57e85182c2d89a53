"""`assay compare`: two models on labelled documents that neither has seen."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.evaluation import compare_models, comparison_table
from assay.options import options_of, subset
from assay.pipeline import TrainingRequest
from assay.promotion import record_report
from assay.registry import open_model
from assay.report import print_table
from assay.storage import digest_folder

SPELLED = {"source": "--data"}
OPTIONS = subset(
    options_of(TrainingRequest),
    "source",
    "columns",
    "slice_by",
    but=["weight_column", "judge_column", "reference_judge"],
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("a", help="model folder, or version or alias of the registry")
    parser.add_argument("b", help="the other model; a difference above 0 means that the first is better")
    parser.add_argument("--output", required=True, type=local, help="the comparison, .json (and .html beside it)")
    add_request(parser, OPTIONS, SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the figures, and return the exit status. Raise InputError for bad input."""
    request, registry = request_of(TrainingRequest, arguments, OPTIONS, SPELLED), registry_of(arguments)
    with open_model(arguments.a, registry) as one, open_model(arguments.b, registry) as other:
        comparison = compare_models(
            (one, other),
            request.source,
            request.columns,
            output=arguments.output,
            names=(arguments.a, arguments.b),
            slice_by=request.slice_by,
            on_report=lambda ids, texts: record_report(
                registry, "compare", (digest_folder(one), digest_folder(other)), ids, texts
            ),
        )
    print_table(f"On {comparison.documents} documents that neither has seen", comparison_table(comparison))
    print(comparison.sentence())
    print(f"comparison: {arguments.output} and {arguments.output.with_suffix('.html')}")
    return 0
