"""`assay evaluate`: how good a model is on labelled documents that it has not seen."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.evaluation import evaluate_elsewhere, summary_table
from assay.options import options_of, subset
from assay.pipeline import TrainingRequest
from assay.promotion import record_report
from assay.report import print_table
from assay.storage import digest_folder

SPELLED = {"source": "--data"}
OPTIONS = subset(
    options_of(TrainingRequest),
    "source",
    "columns",
    "slice_by",
    "rater_columns",
    "gates",
    but=["weight_column", "judge_column", "reference_judge"],
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, type=local, help="model folder")
    parser.add_argument("--output", required=True, type=local, help="the report, .json (and .html beside it)")
    parser.add_argument(
        "--rubric", default="", help="of a model with several rubrics, the one of the labels (default: its main one)"
    )
    add_request(parser, OPTIONS, SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the figures, and return the exit status. Raise InputError for bad input."""
    request = request_of(TrainingRequest, arguments, OPTIONS, SPELLED)
    evaluation = evaluate_elsewhere(
        arguments.model,
        request.source,
        request.columns,
        output=arguments.output,
        rubric=arguments.rubric,
        slice_by=request.slice_by,
        rater_columns=request.rater_columns,
        gates=request.gates,
        on_report=lambda ids, texts: record_report(
            registry_of(arguments), "evaluate", (digest_folder(arguments.model), ""), ids, texts
        ),
    )
    print_table(f"On {evaluation.documents} documents the model never saw", summary_table(evaluation))
    for warning in evaluation.warnings:
        print(f"! {warning}")
    print(f"report: {arguments.output} and {arguments.output.with_suffix('.html')}")
    return 0
