"""`assay sagemaker train | pipeline`: training as a job of SageMaker, and a pipeline of it as JSON."""

import argparse
import json

from assay.cli.jobs import add_job, add_result, conclude, job_of
from assay.cli.options import local, request_of
from assay.cli.train import SPELLED
from assay.cloud import AwsSettings
from assay.errors import InputError
from assay.jobs import PipelineSettings, pipeline_definition, train_at_sagemaker
from assay.options import options_of
from assay.pipeline import TrainingRequest
from assay.storage import staged_file

ROLE = "ARN of the role of the job"
IMAGE = "training image of ECR, with tag or digest"
PLACE = "folder of S3 for models, s3://BUCKET/…"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True)
    train = actions.add_parser("train", help="train as a job; options as of `assay train`, labels in S3")
    pipeline = actions.add_parser("pipeline", help="write a pipeline (train, register, release) as JSON")
    for action in (train, pipeline):
        add_job(action, role=ROLE, image=IMAGE, place=PLACE, instance="ml.g5.xlarge")
        action.add_argument("--spot", action="store_true", help="use spare capacity, and go on after an interruption")
    add_result(train)
    for name in ("region", "profile"):
        train.add_argument(f"--{name}", default="", help=f"{name} of AWS (default: that of the environment)")
    pipeline.add_argument("--output", type=local, required=True, help="JSON file to write")
    pipeline.add_argument("--registry", required=True, help="URL of the registry, s3://…")
    pipeline.add_argument("--test-set", required=True, help="labelled documents of S3 that compare two models")
    pipeline.add_argument("--target", required=True, help="target of the release with its settings, as one line")
    pipeline.add_argument("--challenge", default="", help="options of `assay challenge` as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the action, and return the exit status. Raise InputError for bad input."""
    request = request_of(TrainingRequest, arguments, options_of(TrainingRequest), SPELLED)
    job = job_of(arguments)
    if arguments.action == "train":
        if arguments.register and not arguments.output:
            raise InputError("--register needs --output", fix="Name a new folder for the model")
        aws = AwsSettings(arguments.region, arguments.profile)
        conclude(arguments, train_at_sagemaker(request, job, aws, arguments.output))
        return 0
    settings = PipelineSettings(arguments.registry, arguments.test_set, arguments.target, arguments.challenge)
    with staged_file(arguments.output) as partial:
        partial.write_text(json.dumps(pipeline_definition(request, job, settings), indent=2) + "\n", encoding="utf-8")
    print(f"pipeline: {arguments.output}")
    return 0
