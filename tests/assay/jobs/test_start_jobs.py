"""Jobs of both clouds: what is asked of the API, how they end, and the pipeline."""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.validate
import pytest
from aws_stand_in import IMAGE, ROLE, StandIn, aws
from botocore.model import ServiceModel
from vertex_stand_in import VertexStandIn

from assay.cli import main
from assay.cloud import AwsSettings, GoogleSettings
from assay.errors import InputError
from assay.jobs import JobSettings, PipelineSettings, pipeline_definition, train_at_sagemaker, train_at_vertex
from assay.options import build
from assay.pipeline import TrainingRequest

JOB = JobSettings(ROLE, IMAGE, "s3://models/jobs", "ml.m5.xlarge", poll=0.001)
GOOGLE_IMAGE = "europe-west4-docker.pkg.dev/my-project/assay/train:1"
GOOGLE_JOB = JobSettings("", GOOGLE_IMAGE, "gs://models/jobs", "n1-standard-8+1xNVIDIA_TESLA_T4", poll=0.001)
PROJECT = GoogleSettings("my-project", "europe-west4")


def request(source: str = "s3://models/labels.parquet", **options: str) -> TrainingRequest:
    return build(TrainingRequest, {"source": source, "rubric": "education", "recipe": "lexical", **options})


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with aws("", monkeypatch) as made:
        yield made


def test_a_job_asks_for_the_same_training_and_its_model_is_fetched(cloud: StandIn, tmp_path: Path) -> None:
    asked = request(seeds="2", slice_by="genre,site")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("assay.json"), io.BytesIO())
    place = train_at_sagemaker(asked, JOB, AwsSettings(), None)
    bucket, _, key = place.replace("-1/", "-2/").removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=packed.getvalue())

    again = train_at_sagemaker(asked, JOB, AwsSettings(), tmp_path / "model")

    assert again.replace("-2/", "-1/") == place, "a name is never taken again"
    assert (tmp_path / "model/assay.json").exists()
    given = cloud.last("CreateTrainingJob")
    assert build(TrainingRequest, {**given["HyperParameters"], "source": asked.source}) == asked
    (channel,) = given["InputDataConfig"]
    assert (channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]) == ("train", asked.source)
    assert all(isinstance(value, str) for value in given["HyperParameters"].values())


def test_a_job_that_runs_is_followed_and_one_that_fails_says_why(
    cloud: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    detached = JobSettings(ROLE, IMAGE, "s3://models/jobs", "ml.m5.xlarge", wait=False)
    name = train_at_sagemaker(request(), detached, AwsSettings(), None)
    job = cloud.backend.training_jobs[name]
    job.training_job_status = job.secondary_status = "InProgress"

    assert train_at_sagemaker(request(), detached, AwsSettings(), None) == name
    assert cloud.count("CreateTrainingJob") == 1
    looks = iter(["InProgress", "Failed"])

    def describe(*_: Any) -> None:
        job.training_job_status = next(looks, "Failed")
        job.failure_reason = "AlgorithmError: no option 'rubrik'"

    cloud.describe_training_job = describe  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"the job failed: AlgorithmError: no option 'rubrik' .*CloudWatch"):
        train_at_sagemaker(request(), JOB, AwsSettings(), None)


def test_spare_capacity_has_checkpoints(cloud: StandIn) -> None:
    train_at_sagemaker(
        request(), JobSettings(ROLE, IMAGE, "s3://models/a", "ml.m5.xlarge", spot=True), AwsSettings(), None
    )

    given = cloud.last("CreateTrainingJob")
    assert given["CheckpointConfig"]["S3Uri"].startswith("s3://models/a/checkpoints")
    assert given["StoppingCondition"]["MaxWaitTimeInSeconds"] >= given["StoppingCondition"]["MaxRuntimeInSeconds"]


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ([(400, "ResourceLimitExceeded", "limit is 0 Instances")], "Service Quotas"),
        ([(400, "ExpiredTokenException", "expired")], "`aws sso login`"),
    ],
)
def test_what_aws_refuses_is_said(cloud: StandIn, faults: list, says: str) -> None:
    cloud.faults = {"CreateTrainingJob": faults}

    with pytest.raises(InputError, match=says):
        train_at_sagemaker(request(), JOB, AwsSettings(), None)


def test_what_a_job_would_not_find_is_refused_before_it_starts(cloud: StandIn, tmp_path: Path) -> None:
    rubric = tmp_path / "rubric.md"
    rubric.write_text("x")
    with pytest.raises(InputError, match="is not in reach of the job"):
        train_at_sagemaker(request("labels.parquet"), JOB, AwsSettings(), None)
    with pytest.raises(InputError, match="rubric names a file of this machine"):
        train_at_sagemaker(request(rubric=str(rubric)), JOB, AwsSettings(), None)
    assert cloud.calls == []


@pytest.fixture
def vertex(monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexStandIn]:
    made = VertexStandIn("")
    monkeypatch.setenv("ASSAY_VERTEX_API", made.url)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", made.token)
    monkeypatch.setattr("assay.cloud.google.FIRST_PAUSE", 0.001)
    yield made
    made.close()


def test_a_custom_job_asks_for_the_same_training(vertex: VertexStandIn) -> None:
    asked = request("gs://models/labels.parquet", seeds="2")

    place = train_at_vertex(asked, GOOGLE_JOB, PROJECT, None)

    body = vertex.last("POST customJobs")["jobSpec"]
    (pool,) = body["workerPoolSpecs"]
    assert build(TrainingRequest, json.loads(pool["containerSpec"]["env"][0]["value"])) == asked
    assert pool["containerSpec"]["command"] == ["train"]
    assert pool["machineSpec"] == {
        "machineType": "n1-standard-8",
        "acceleratorType": "NVIDIA_TESLA_T4",
        "acceleratorCount": 1,
    }
    assert place == body["baseOutputDirectory"]["outputUriPrefix"] + "/model"


def test_a_custom_job_that_fails_says_why_and_none_is_started_twice(vertex: VertexStandIn) -> None:
    asked = request("gs://models/labels.parquet")
    vertex.fails = {"job": (8, "The quota of T4 is exceeded")}
    with pytest.raises(InputError, match="the job failed: The quota of T4 is exceeded"):
        train_at_vertex(asked, GOOGLE_JOB, PROJECT, None)
    vertex.faults = {"POST customJobs": [(503, "UNAVAILABLE", "later")]}
    with pytest.raises(InputError, match="the job cannot be started: later"):
        train_at_vertex(asked, GOOGLE_JOB, PROJECT, None)
    assert vertex.count("POST customJobs") == 2, "the outcome of the second is unknown: it is not repeated"
    vertex.faults = {"POST customJobs": [(429, "RESOURCE_EXHAUSTED", "later")]}
    vertex.fails = {}
    assert train_at_vertex(asked, GOOGLE_JOB, PROJECT, None)
    with pytest.raises(InputError, match="names no accelerator"):
        bad = JobSettings("", GOOGLE_IMAGE, "gs://models/jobs", "n1-standard-8+T4")
        train_at_vertex(asked, bad, PROJECT, None)


def test_the_pipeline_is_what_the_operations_of_the_api_take(tmp_path: Path) -> None:
    """Each step against the API's own model, once what it refers to is filled in."""
    settings = PipelineSettings("s3://models/registry", "s3://models/test.parquet", "sagemaker,name=assay-serving")
    definition = pipeline_definition(request(), JOB, settings)

    assert definition["Version"] == "2020-12-01"
    assert [(step["Name"], step["Type"]) for step in definition["Steps"]] == [
        ("Train", "Training"),
        ("Register", "Processing"),
        ("Release", "Processing"),
    ]
    # What the published schema demands of the frame: names of one form, and no other fields.
    assert all(set(each) == {"Name", "Type", "DefaultValue"} for each in definition["Parameters"])
    assert all(set(each) == {"Name", "Type", "Arguments"} for each in definition["Steps"])
    assert all(
        re.fullmatch(r"[A-Za-z0-9_-]{1,64}", each["Name"]) for each in [*definition["Steps"], *definition["Parameters"]]
    )
    model = ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    names = {each["Name"] for each in definition["Parameters"]}
    for step in definition["Steps"]:
        kind = {"Training": "CreateTrainingJob", "Processing": "CreateProcessingJob"}[step["Type"]]
        arguments = {**filled(step["Arguments"], names, definition), f"{kind.removeprefix('Create')}Name": "x"}
        report = botocore.validate.ParamValidator().validate(arguments, model.operation_model(kind).input_shape)
        assert not report.has_errors(), report.generate_report()


def filled(value: Any, names: set[str], definition: dict) -> Any:
    """Return a value with texts in the place of references, each of which must lead somewhere."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            kind, name, *_ = value["Get"].split(".")
            known = {
                "Parameters": names,
                "Steps": {step["Name"] for step in definition["Steps"]},
                "Execution": {"PipelineName", "PipelineExecutionId"},
            }
            assert name in known[kind], value
            return "s3://filled/in"
        if set(value) == {"Std:Join"}:
            return "s3://filled/in"
        return {name: filled(each, names, definition) for name, each in value.items()}
    return [filled(each, names, definition) for each in value] if isinstance(value, list) else value


def test_the_command_writes_the_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "pipeline.json"
    command = ["sagemaker", "pipeline", "--data", "s3://models/l.parquet", "--rubric", "education", "--role", ROLE]
    command += ["--image", IMAGE, "--place", "s3://models/jobs", "--registry", "s3://models/registry"]
    command += ["--test-set", "s3://models/t.parquet", "--target", "sagemaker", "--output", str(output)]

    assert main(command) == 0

    assert json.loads(output.read_text())["Steps"][0]["Arguments"]["HyperParameters"]["rubric"] == "education"
    assert main([*command, "--registry", "here"]) == 2
    assert "'here' is not in S3 (--registry)" in capsys.readouterr().err
