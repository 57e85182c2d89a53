"""A pipeline of SageMaker as JSON: train, register, release, as `retrain_and_redeploy` of Flyte does.

The form is the pipeline definition schema 2020-12-01
(https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/). The arguments of a
step are those of the API's own operation, so that a training step is the job that `assay sagemaker train` starts.
"""

from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.jobs.job import JobSettings, hyperparameters, require_remote
from assay.jobs.sagemaker import training_job
from assay.pipeline import TrainingRequest

Json = dict[str, Any]

HERE = "/opt/ml/processing"
STEP_HOURS = 6


@dataclass(frozen=True)
class PipelineSettings:
    """What the steps after the training need."""

    registry: str
    test_set: str
    """Labelled documents that compare the new model with the champion."""
    target: str
    """Target of the deployment with its settings, such as `sagemaker,role=…,image=…,place=s3://…`."""
    options: str = ""
    """Options of `assay challenge`, as JSON."""
    instance: str = "ml.c5.xlarge"
    """Machine of the steps after the training."""


def pipeline_definition(request: TrainingRequest, job: JobSettings, settings: PipelineSettings) -> Json:
    """Return the definition. Raise InputError for what the steps would not find."""
    require_remote(request.source, "s3://")
    for name, place in (("--registry", settings.registry), ("--test-set", settings.test_set)):
        if not place.startswith("s3://"):
            raise InputError(f"{place!r} is not in S3", where=name, fix="Give s3://BUCKET/…")
    parameters = {"Labels": request.source, "TestSet": settings.test_set, "Registry": settings.registry}
    training = training_job(request.source, hyperparameters(request), job)
    if "InputDataConfig" in training:
        training["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = _parameter("Labels")
    register = _processing(
        job,
        settings,
        ["register", "--model", f"{HERE}/model", "--output", f"{HERE}/version", "--registry", _parameter("Registry")],
        inputs={"model": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}},
        outputs={"version": f"{job.output.rstrip('/')}/versions"},
    )
    version = "Steps.Register.ProcessingOutputConfig.Outputs['version'].S3Output.S3Uri"
    extra = ["--options", settings.options] if settings.options else []
    release = _processing(
        job,
        settings,
        [
            *("release", "--version", f"{HERE}/version", "--registry", _parameter("Registry")),
            *("--test-set", _parameter("TestSet"), "--target", settings.target, *extra),
        ],
        inputs={"version": {"Get": version}},
        outputs={},
    )
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [{"Name": name, "Type": "String", "DefaultValue": value} for name, value in parameters.items()],
        "PipelineExperimentConfig": {
            "ExperimentName": {"Get": "Execution.PipelineName"},
            "TrialName": {"Get": "Execution.PipelineExecutionId"},
        },
        "Steps": [
            {"Name": "Train", "Type": "Training", "Arguments": training},
            {"Name": "Register", "Type": "Processing", "Arguments": register},
            {"Name": "Release", "Type": "Processing", "Arguments": release},
        ],
    }


def _parameter(name: str) -> Json:
    return {"Get": f"Parameters.{name}"}


def _processing(
    job: JobSettings, settings: PipelineSettings, arguments: list[Any], *, inputs: Json, outputs: dict[str, str]
) -> Json:
    """Return the arguments of CreateProcessingJob for one of `assay.jobs.steps`."""

    def read(name: str, place: Any) -> Json:
        where = {"S3Uri": place, "LocalPath": f"{HERE}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {
            "InputName": name,
            "S3Input": {**where, "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"},
        }

    def written(name: str, place: str) -> Json:
        # A folder for each execution: two that run at once do not overwrite each other's.
        joined = {"Std:Join": {"On": "/", "Values": [place, {"Get": "Execution.PipelineExecutionId"}]}}
        where = {"S3Uri": joined, "LocalPath": f"{HERE}/{name}", "S3UploadMode": "EndOfJob"}
        return {"OutputName": name, "S3Output": where}

    cluster = {"InstanceType": settings.instance, "InstanceCount": 1, "VolumeSizeInGB": job.volume}
    return {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": job.image,
            "ContainerEntrypoint": ["python", "-m", "assay.jobs.steps"],
            "ContainerArguments": arguments,
        },
        "RoleArn": job.role,
        "ProcessingInputs": [read(name, place) for name, place in inputs.items()],
        **(
            {"ProcessingOutputConfig": {"Outputs": [written(name, place) for name, place in outputs.items()]}}
            if outputs
            else {}
        ),
        "StoppingCondition": {"MaxRuntimeInSeconds": STEP_HOURS * 3600},
    }
