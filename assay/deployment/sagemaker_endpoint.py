"""One endpoint of SageMaker and what belongs to it, as operations of the API: look, make, update, tag, delete."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.cloud import Aws
from assay.deployment.archive import write_archive
from assay.deployment.sagemaker_settings import SageMakerSettings
from assay.deployment.target import History
from assay.errors import InputError
from assay.registry import Registry, Version

VARIANT = "AllTraffic"
"""Name of the one variant. It may not change from one configuration to the next (deployment guardrails)."""
STARTUP_SECONDS = 900
"""Seconds for the model data to arrive, and then for /ping to answer 200."""
MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
MARK, HISTORY, LEFT, NEXT = "assay:target", "assay:history", "assay:left", "assay:next"
"""Tags of an endpoint that `assay deploy` made, its versions that served, and the one on its way."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint at one moment."""

    name: str
    arn: str
    status: str
    config: str
    why: str
    """Reason of a failure; empty if there is none."""
    instances: int
    age: float
    """Seconds since it was made."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def moving(self) -> bool:
        return self.status in MOVING

    @property
    def history(self) -> History:
        """Entries `VERSION-SPECIFICATION` that have served; the last one is wanted now."""
        return History(tuple(self.tags.get(HISTORY, "").split()), self.tags.get(LEFT, ""))

    @property
    def coming(self) -> str:
        """Entry of an update that was begun and not completed; empty if there is none."""
        return self.tags.get(NEXT, "")


def version_of(entry: str) -> str:
    """Return the version in an entry of a history."""
    return entry.partition("-")[0]


class SageMaker:
    """The API, for the endpoints of one target."""

    def __init__(self, settings: SageMakerSettings) -> None:
        """Raise InputError if there is no such region or profile."""
        self._settings = settings
        self.aws = Aws(settings.aws)
        self._client = self.aws.client("sagemaker")

    def look(self, name: str) -> Endpoint | None:
        """Return an endpoint, or None if there is none. Raise InputError if AWS does not answer."""
        found = self.aws.find(f"endpoint {name} cannot be read", self._client.describe_endpoint, EndpointName=name)
        if found is None:
            return None
        arn = found["EndpointArn"]
        tags = self.aws.call(f"the tags of {name} cannot be read", self._client.list_tags, ResourceArn=arn)["Tags"]
        made = found["CreationTime"]
        age = (type(made).now(made.tzinfo) - made).total_seconds()
        counts = [each.get("DesiredInstanceCount", 1) for each in found.get("ProductionVariants", [])]
        return Endpoint(
            name,
            arn,
            found["EndpointStatus"],
            found.get("EndpointConfigName", ""),
            found.get("FailureReason", ""),
            max(counts, default=1),
            age,
            {each["Key"]: each["Value"] for each in tags},
        )

    def tag(self, endpoint: Endpoint, history: History, coming: str = "") -> None:
        """Record the history of an endpoint, and what is on its way."""
        tags = {MARK: "1", HISTORY: " ".join(history.versions), LEFT: history.left, NEXT: coming}
        self.aws.call(
            f"the tags of {endpoint.name} cannot be written",
            self._client.add_tags,
            ResourceArn=endpoint.arn,
            Tags=_tags(tags),
        )

    def upload(self, version: Version) -> str:
        """Return the URL of the model data of a version; it is packed and uploaded unless it is there already."""
        bucket, prefix = self._settings.bucket()
        key = "/".join(part for part in (prefix, version.digest, "model.tar.gz") if part)
        s3 = self.aws.client("s3")
        what = f"the model data cannot be written to s3://{bucket}"
        if self.aws.find(what, s3.head_object, Bucket=bucket, Key=key) is None:
            with (
                Registry(self._settings.registry).open(version.name) as model,
                tempfile.TemporaryDirectory(prefix="assay-archive-") as scratch,
            ):
                archive = Path(scratch) / "model.tar.gz"
                write_archive(model, archive)
                with archive.open("rb") as data:
                    self.aws.call(what, s3.put_object, Bucket=bucket, Key=key, Body=data)
        return f"s3://{bucket}/{key}"

    def prepare(self, config: str, version: Version, environment: Mapping[str, str]) -> None:
        """Make the model and the configuration of a name, unless they exist: the name tells what is in them."""
        client, settings = self._client, self._settings
        found = self.aws.find(
            "the configuration cannot be read", client.describe_endpoint_config, EndpointConfigName=config
        )
        if found is not None:
            return
        tags = _tags({MARK: "1", "assay:version": version.name})
        if self.aws.find("the model cannot be read", client.describe_model, ModelName=config) is None:
            container = {
                "Image": settings.image,
                "ModelDataUrl": self.upload(version),
                "Environment": {
                    **environment,
                    "ASSAY_MODEL_VERSION": version.name,
                    "ASSAY_MODEL_CREATED": version.created,
                },
            }
            self.aws.call(
                f"the model of version {version.name} cannot be made",
                client.create_model,
                ModelName=config,
                PrimaryContainer=container,
                ExecutionRoleArn=settings.role,
                Tags=tags,
            )
        self._config(config, config, settings.instances, tags)

    def _config(self, config: str, model: str, instances: int, tags: list[dict[str, str]]) -> None:
        variant = {
            "VariantName": VARIANT,
            "ModelName": model,
            "InitialInstanceCount": instances,
            "InstanceType": self._settings.instance,
            "InitialVariantWeight": 1.0,
            "ModelDataDownloadTimeoutInSeconds": STARTUP_SECONDS,
            "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS,
        }
        self.aws.call(
            f"the configuration {config} cannot be made",
            self._client.create_endpoint_config,
            EndpointConfigName=config,
            ProductionVariants=[variant],
            Tags=tags,
        )

    def prepare_check(self, model: str) -> str:
        """Return the configuration of one instance with a model, for a check; it is made unless it exists."""
        config = f"{model}-1"
        found = self.aws.find(
            "the configuration cannot be read", self._client.describe_endpoint_config, EndpointConfigName=config
        )
        if found is None:
            self._config(config, model, 1, _tags({MARK: "check"}))
        return config

    def create(self, name: str, config: str, tags: Mapping[str, str]) -> None:
        """Begin to make an endpoint."""
        self.aws.call(
            f"endpoint {name} cannot be made",
            self._client.create_endpoint,
            EndpointName=name,
            EndpointConfigName=config,
            Tags=_tags({MARK: "1", **tags}),
        )

    def update(self, endpoint: Endpoint, config: str, *, canary: bool) -> None:
        """Begin a blue/green update. `canary`: some instances first; otherwise all traffic at once."""
        settings = self._settings
        bake, first = round(settings.bake), settings.canary(endpoint.instances) if canary else 0
        traffic: dict[str, Any] = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": bake}
        if first:
            size = {"Type": "INSTANCE_COUNT", "Value": first}
            traffic = {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": bake}
        policy = {
            "TrafficRoutingConfiguration": traffic,
            "TerminationWaitInSeconds": bake if canary else 0,
            "MaximumExecutionTimeoutInSeconds": min(28_800, max(600, round(settings.within), 2 * bake + 600)),
        }
        rollback = {"Alarms": [{"AlarmName": name} for name in settings.alarms]}
        self.aws.call(
            f"endpoint {endpoint.name} cannot be updated",
            self._client.update_endpoint,
            EndpointName=endpoint.name,
            EndpointConfigName=config,
            # The autoscaling may have changed the number of instances: it stays.
            RetainAllVariantProperties=bool(settings.most),
            DeploymentConfig={
                "BlueGreenUpdatePolicy": policy,
                **({"AutoRollbackConfiguration": rollback} if settings.alarms and canary else {}),
            },
        )

    def delete(self, name: str) -> None:
        """Begin to delete an endpoint. Do nothing if there is none."""
        self.aws.find(f"endpoint {name} cannot be deleted", self._client.delete_endpoint, EndpointName=name)

    def has_config(self, config: str) -> bool:
        """Return True if a configuration exists."""
        what = f"the configuration {config} cannot be read"
        return self.aws.find(what, self._client.describe_endpoint_config, EndpointConfigName=config) is not None

    def forget(self, config: str) -> None:
        """Delete the model and the configurations of a name, those that exist. Its data in S3 stays."""
        for name in (config, f"{config}-1"):
            what = f"the configuration {name} cannot be deleted"
            self.aws.find(what, self._client.delete_endpoint_config, EndpointConfigName=name)
        self.aws.find(f"the model {config} cannot be deleted", self._client.delete_model, ModelName=config)

    def scale(self, name: str) -> None:
        """Let the number of instances follow the requests, between the settings' numbers."""
        settings, client = self._settings, self.aws.client("application-autoscaling")
        what = f"the autoscaling of {name} cannot be set"
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        bounds = {"MinCapacity": settings.instances, "MaxCapacity": settings.most}
        self.aws.call(what, client.register_scalable_target, **target, **bounds)
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        self.aws.call(
            what,
            client.put_scaling_policy,
            PolicyName=f"{name}-load",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": settings.load,
                "PredefinedMetricSpecification": metric,
            },
            **target,
        )

    def require_alarms(self) -> None:
        """Raise InputError if an alarm of the settings does not exist."""
        wanted = list(self._settings.alarms)
        if not wanted:
            return
        client = self.aws.client("cloudwatch")
        found = self.aws.call("the alarms cannot be read", client.describe_alarms, AlarmNames=wanted)
        there = {each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in found.get(kind, [])}
        if missing := [name for name in wanted if name not in there]:
            raise InputError(
                f"there is no alarm {missing[0]!r}",
                where="--alarms",
                fix="Make it by infra/terraform/modules/sagemaker, or name another",
            )


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
