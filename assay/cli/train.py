"""`assay train`: labelled documents in, a measured model folder out."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, request_of, user
from assay.evaluation import summary_table
from assay.options import options_of
from assay.pipeline import TrainingRequest, train_and_evaluate
from assay.release import register_model
from assay.report import print_table

SPELLED = {"source": "--data"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", required=True, type=local, help="new model folder")
    add_request(parser, options_of(TrainingRequest), SPELLED)
    parser.add_argument("--processes", type=int, default=1, help="training processes on this machine (default: 1)")
    parser.add_argument(
        "--register", action="store_true", help="register the model at once, as `assay registry add` does"
    )
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, print the figures by each rubric, and return the exit status. Raise InputError for bad input."""
    request = request_of(TrainingRequest, arguments, options_of(TrainingRequest), SPELLED)
    who = user("") if arguments.register else ""  # unknown users are refused before hours of training
    evaluations = train_and_evaluate(request, arguments.output, processes=arguments.processes)
    for rubric, evaluation in evaluations.items():
        which = f"{rubric}: on" if request.also else "On"
        print_table(f"{which} {evaluation.documents} documents the model never saw", summary_table(evaluation))
        if evaluation.refit:
            print(f"What ships was fitted to all {evaluation.refit:,} documents; these are figures of the procedure.")
        for warning in evaluation.warnings:
            print(f"! {warning}")
    print(f"model, card and report: {arguments.output}")
    if arguments.register:
        print(register_model(registry_of(arguments), arguments.output, who=who).sentence)
    return 0
