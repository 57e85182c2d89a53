"""Options that the training jobs of both clouds share."""

import argparse

from assay.cli.options import add_registry, add_request, local, registry_of, user
from assay.cli.train import SPELLED
from assay.jobs import JobSettings
from assay.options import options_of
from assay.pipeline import TrainingRequest
from assay.release import register_model


def add_job(parser: argparse.ArgumentParser, *, role: str, image: str, place: str, instance: str) -> None:
    """Add the options of a job and of `assay train`."""
    parser.add_argument("--role", default="", help=role)
    parser.add_argument("--image", required=True, help=image)
    parser.add_argument("--place", required=True, help=place)
    parser.add_argument("--instance", default=instance, help=f"machine type of the job (default: {instance})")
    parser.add_argument("--hours", type=float, default=24.0, help="hours after which the cloud stops it (default: 24)")
    parser.add_argument("--volume", type=int, default=50, help="GiB of the disk (default: 50)")
    add_request(parser, options_of(TrainingRequest), SPELLED)


def add_result(parser: argparse.ArgumentParser) -> None:
    """Add the options of what becomes of the model."""
    parser.add_argument(
        "--output", type=local, help="new folder of this machine for the model (default: it stays there)"
    )
    parser.add_argument("--detach", action="store_true", help="return as soon as the job is started")
    parser.add_argument("--register", action="store_true", help="register the model at once; needs --output")
    add_registry(parser)


def job_of(arguments: argparse.Namespace) -> JobSettings:
    """Return the settings of the job of a command line."""
    return JobSettings(
        arguments.role,
        arguments.image,
        arguments.place,
        arguments.instance,
        within=arguments.hours * 3600,
        volume=arguments.volume,
        spot=getattr(arguments, "spot", False),
        wait=not getattr(arguments, "detach", False),
    )


def conclude(arguments: argparse.Namespace, place: str) -> None:
    """Print where the model is, and register it if that is asked."""
    print(f"{'job' if arguments.detach else 'model'}: {arguments.output or place}")
    if arguments.register and arguments.output and not arguments.detach:
        print(register_model(registry_of(arguments), arguments.output, who=user("")).sentence)
