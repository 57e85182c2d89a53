"""`assay vertex train`: training as a custom job of Vertex AI."""

import argparse

from assay.cli.jobs import add_job, add_result, conclude, job_of
from assay.cli.options import request_of
from assay.cli.train import SPELLED
from assay.cloud import GoogleSettings
from assay.errors import InputError
from assay.jobs import train_at_vertex
from assay.options import options_of
from assay.pipeline import TrainingRequest


def add(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True)
    train = actions.add_parser("train", help="train as a custom job; options as of `assay train`, labels at gs://")
    add_job(
        train,
        role="service account of the job (default: that of Vertex AI)",
        image="training image of Artifact Registry, with tag or digest",
        place="folder of Cloud Storage for models, gs://BUCKET/…",
        instance="g2-standard-8+1xNVIDIA_L4",
    )
    add_result(train)
    train.add_argument("--project", required=True, help="id of the project")
    train.add_argument("--region", required=True, help="region, such as europe-west4")


def run(arguments: argparse.Namespace) -> int:
    """Run the action, and return the exit status. Raise InputError for bad input."""
    request = request_of(TrainingRequest, arguments, options_of(TrainingRequest), SPELLED)
    if arguments.register and not arguments.output:
        raise InputError("--register needs --output", fix="Name a new folder for the model")
    google = GoogleSettings(arguments.project, arguments.region)
    conclude(arguments, train_at_vertex(request, job_of(arguments), google, arguments.output))
    return 0
