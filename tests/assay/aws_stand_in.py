"""SageMaker in this process: moto, what it lacks, and what it never does wrong.

moto makes endpoints that are in service at once, and has no UpdateEndpoint. Here they take a few looks, and a test can
plan how they end; InvokeEndpoint is answered by the model that the endpoint's configuration names, and its body is read
by the parser of the service. Faults are answers below boto3, so that its retries and its errors are the real ones.
"""

import json
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore
import botocore.awsrequest
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends

from assay.inference import Scorer, assess
from assay.serving.contracts import Contract
from assay.serving.documents import RefusedError
from assay.serving.settings import ServeSettings

REGION, ACCOUNT = "eu-central-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/assay-sagemaker"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/assay/serve:1"
PLACE = "s3://models/assay"


@dataclass
class StandIn:
    """What happens next, and what has happened."""

    registry: str
    looks: int = 2
    """Looks until an endpoint has stopped moving."""
    ends: dict[str, str] = field(default_factory=dict)
    """Part of an endpoint's configuration -> status in which it ends, or `never`, or `back`: an update that SageMaker
    rolls back."""
    faults: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    """Operation -> answers (status, code, message) that come before the real ones."""
    wrong: str = ""
    """Version whose answers are off by half a label."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    moving: dict[str, list[Any]] = field(default_factory=dict)
    scorers: dict[str, Scorer] = field(default_factory=dict)

    def count(self, operation: str) -> int:
        return Counter(name for name, _ in self.calls)[operation]

    def last(self, operation: str) -> dict[str, Any]:
        return [given for name, given in self.calls if name == operation][-1]

    @property
    def backend(self) -> Any:
        return sagemaker_backends[ACCOUNT][REGION]

    def answer(self, request: Any, event_name: str) -> Any:
        """Answer a request in the place of the network, or return None for moto."""
        _, service, operation = event_name.split(".")
        data = request.body or b"{}"
        given = json.loads(data) if service == "sagemaker" else {}
        self.calls.append((operation, given))
        if self.faults.get(operation):
            status, code, message = self.faults[operation].pop(0)
            return reply(request, status, {"__type": code, "message": message}, code)
        if service == "sagemaker-runtime":
            return self.invoke(request)
        if service != "sagemaker":
            return None
        return getattr(self, botocore.xform_name(operation), lambda *_: None)(request, given)

    def create_endpoint(self, _: Any, given: dict[str, Any]) -> None:
        self.moving[given["EndpointName"]] = [self.looks, "Creating", given["EndpointConfigName"]]

    def update_endpoint(self, request: Any, given: dict[str, Any]) -> Any:
        name, config = given["EndpointName"], given["EndpointConfigName"]
        assert name in self.backend.endpoints and config in self.backend.endpoint_configs
        if name in self.moving:
            return reply(
                request, 400, {"__type": "ValidationException", "message": "Cannot update in-progress endpoint"}
            )
        self.moving[name] = [self.looks, "Updating", config]
        return reply(request, 200, {"EndpointArn": self.backend.endpoints[name].arn})

    def delete_endpoint(self, _: Any, given: dict[str, Any]) -> None:
        self.moving.pop(given["EndpointName"], None)

    def describe_endpoint(self, _: Any, given: dict[str, Any]) -> None:
        name = given["EndpointName"]
        endpoint = self.backend.endpoints.get(name)
        if endpoint is None or name not in self.moving:
            return
        left, status, config = self.moving[name]
        plan = next((end for part, end in self.ends.items() if part in config), "InService")
        if left > 0 or plan == "never":
            self.moving[name][0] -= 1
            endpoint.endpoint_status = status
            return
        del self.moving[name]
        endpoint.endpoint_status = "InService" if plan == "back" else plan
        endpoint.failure_reason = "" if plan == "InService" else "an alarm or a health check failed"
        if plan == "InService":
            endpoint.endpoint_config_name = config

    def invoke(self, request: Any) -> Any:
        name = urllib.parse.unquote(urllib.parse.urlsplit(request.url).path.split("/")[2])
        endpoint = self.backend.endpoints[name]
        assert endpoint.endpoint_status == "InService"
        model = self.backend.endpoint_configs[endpoint.endpoint_config_name].production_variants[0]["ModelName"]
        version = self.backend._models[model].primary_container["Environment"]["ASSAY_MODEL_VERSION"]
        try:
            parse = Contract("sagemaker", "/ping", "/invocations").parse("application/json")
            documents = parse(request.body, ServeSettings(platform="sagemaker"), time.monotonic() + 60)
        except RefusedError as refusal:
            body = {"OriginalStatusCode": refusal.status, "OriginalMessage": refusal.error, "Message": "ModelError"}
            return reply(request, 424, body, "ModelError")
        if version not in self.scorers:
            self.scorers[version] = Scorer.load(Path(self.registry) / "versions" / version / "model")
        scorer = self.scorers[version]
        scores = assess(scorer, [document.text for document in documents]).score
        off = 0.5 if version == self.wrong else 0.0
        answers = [
            {"id": document.id, "score": float(score) + off, "model": {"version": version}}
            for document, score in zip(documents, scores, strict=True)
        ]
        return reply(request, 200, answers)


def reply(request: Any, status: int, content: Any, code: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"x-amzn-errortype": code} if code else {})}
    raw = json.dumps(content).encode()

    class Raw:
        def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
            yield raw

        def read(self, *_: Any, **__: Any) -> bytes:
            return raw

    response = botocore.awsrequest.AWSResponse(request.url, status, headers, Raw())
    response._content = raw
    return response


@contextmanager
def aws(registry: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """An account with a role, an image, a bucket and an alarm."""
    made = StandIn(registry)
    original = BotocoreStubber.__call__

    def answered(stubber: Any, event_name: str, request: Any, **more: Any) -> Any:
        # Before moto, which would do what a planned fault refuses.
        if event_name.startswith("before-send.sagemaker"):
            found = made.answer(request, event_name)
            if found is not None:
                return found
        return original(stubber, event_name, request, **more)

    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # moto empties all its stores at the start and at the end, that of the tests' object store in this process, too.
    store = s3_backends[ACCOUNT]["aws"]
    kept, store.buckets = store.buckets, {}
    with mock_aws():
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        boto3.client("iam").create_role(RoleName="assay-sagemaker", AssumeRolePolicyDocument=trust)
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="assay/serve")
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        digest = "sha256:" + 64 * "0"
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": kind, "size": 1, "digest": digest},
            "layers": [{"mediaType": kind, "size": 1, "digest": digest}],
        }
        ecr.put_image(repositoryName="assay/serve", imageManifest=json.dumps(manifest), imageTag="1")
        where = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket="models", CreateBucketConfiguration=where)
        alarm = {"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Period": 60, "Statistic": "Sum"}
        boto3.client("cloudwatch").put_metric_alarm(
            AlarmName="assay-5xx",
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            **alarm,
        )
        monkeypatch.setattr(BotocoreStubber, "__call__", answered)
        yield made
    s3_backends[ACCOUNT]["aws"].buckets = kept
