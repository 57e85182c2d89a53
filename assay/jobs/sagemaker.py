"""Start a training job of SageMaker, follow it, and fetch its model."""

import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from assay.cloud import Aws, AwsSettings, require_existing, require_names
from assay.errors import InputError
from assay.jobs.job import JobSettings, hyperparameters, job_digest, require_remote
from assay.jobs.train import CHANNEL
from assay.pipeline import TrainingRequest
from assay.progress import say
from assay.storage import staged_folder

ENDED = ("Completed", "Failed", "Stopped")
MOST_JOBS = 100
"""Jobs of one request that are looked at for one that still runs."""


def train_at_sagemaker(request: TrainingRequest, settings: JobSettings, aws: AwsSettings, output: Path | None) -> str:
    """Start a job, or follow the one of the same request that runs. Return the URL of its model data.

    `output`: new folder of this machine for the model; None leaves it in S3. Without `settings.wait`, return the name
    of the job at once. Raise InputError for bad input, before anything is started, and with its reason if the job
    fails.
    """
    require_remote(request.source, "s3://")
    if output is not None and output.exists():
        raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    options = hyperparameters(request)
    cloud = Aws(aws)
    require_names(cloud, settings.role, settings.image)
    client = cloud.client("sagemaker")
    name, running = _name(cloud, client, f"assay-{job_digest(request, settings)}")
    if running:
        say(f"{name} runs already")
    else:
        require_existing(cloud, settings.role, settings.image)
        body = training_job(request.source, options, settings)
        cloud.call(f"job {name} cannot be started", client.create_training_job, TrainingJobName=name, **body)
        say(f"{name} is started")
    if not settings.wait:
        return name
    done = _follow(cloud, client, name, settings)
    place = str(done["ModelArtifacts"]["S3ModelArtifacts"])
    if output is not None:
        _fetch(cloud, place, output)
    return place


def training_job(source: str, options: dict[str, str], settings: JobSettings) -> dict[str, Any]:
    """Return the arguments of CreateTrainingJob, without its name: also those of a step of a pipeline."""
    checkpoints = settings.checkpoints or f"{settings.output.rstrip('/')}/checkpoints"
    stop = {"MaxRuntimeInSeconds": round(settings.within)}
    if settings.spot:
        stop["MaxWaitTimeInSeconds"] = 2 * round(settings.within)
    place: dict[str, Any] = {"S3DataType": "S3Prefix", "S3Uri": source, "S3DataDistributionType": "FullyReplicated"}
    channels = [{"ChannelName": CHANNEL, "DataSource": {"S3DataSource": place}, "InputMode": "File"}]
    return {
        "AlgorithmSpecification": {"TrainingImage": settings.image, "TrainingInputMode": "File"},
        "RoleArn": settings.role,
        "HyperParameters": options if source.startswith("s3://") else {**options, "source": source},
        **({"InputDataConfig": channels} if source.startswith("s3://") else {}),
        "OutputDataConfig": {"S3OutputPath": settings.output},
        "ResourceConfig": {
            "InstanceType": settings.instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": settings.volume,
        },
        "StoppingCondition": stop,
        **({"EnableManagedSpotTraining": True, "CheckpointConfig": {"S3Uri": checkpoints}} if settings.spot else {}),
    }


def _name(cloud: Aws, client: Any, base: str) -> tuple[str, bool]:
    """Return the name of the job and True if it runs. Names are numbered: SageMaker never takes one again."""
    for number in range(1, MOST_JOBS):
        name = f"{base}-{number}"
        found = cloud.find("the jobs cannot be read", client.describe_training_job, TrainingJobName=name)
        if found is None:
            return name, False
        if found["TrainingJobStatus"] not in ENDED:
            return name, True
    raise InputError(f"there are {MOST_JOBS} jobs of this request already", where=base, fix="Change an option")


def _follow(cloud: Aws, client: Any, name: str, settings: JobSettings) -> dict[str, Any]:
    """Wait for the end of a job. Raise InputError with its reason if it fails. Ctrl-C leaves it running."""
    shown = ""
    while True:
        now = cloud.call(f"job {name} cannot be read", client.describe_training_job, TrainingJobName=name)
        if (status := now.get("SecondaryStatus", now["TrainingJobStatus"])) != shown:
            say(f"{name}: {status}")
            shown = status
        if now["TrainingJobStatus"] == "Completed":
            return dict(now)
        if now["TrainingJobStatus"] in ENDED:
            why = now.get("FailureReason") or now["TrainingJobStatus"].lower()
            raise InputError(
                f"the job failed: {why}", where=name, fix="Its log is in CloudWatch, /aws/sagemaker/TrainingJobs"
            )
        time.sleep(settings.poll)


def _fetch(cloud: Aws, place: str, output: Path) -> None:
    """Download and unpack model data into a new folder, which appears when it is complete."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    with tempfile.TemporaryDirectory(prefix="assay-job-") as scratch, staged_folder(output) as folder:
        archive = Path(scratch) / "model.tar.gz"
        with archive.open("wb") as data:
            what = f"the model cannot be read from {place}"
            cloud.call(what, cloud.client("s3").download_fileobj, Bucket=bucket, Key=key, Fileobj=data)
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
