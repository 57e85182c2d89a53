"""Settings of a SageMaker endpoint."""

import math
import re
from dataclasses import dataclass, field

from assay.cloud import AwsSettings
from assay.errors import InputError

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,37}")
"""Leaves room for `-`, a version, `-` and a digest of 8 within the 63 characters of SageMaker."""
PLACE = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>[^?#]*))?")


@dataclass(frozen=True)
class SageMakerSettings:
    """The endpoint, what it runs on, and how another version takes its place."""

    registry: str
    name: str = "assay-serving"
    """Name of the endpoint."""
    aws: AwsSettings = field(default_factory=AwsSettings)
    role: str = ""
    """ARN of the role that reads image and model."""
    image: str = ""
    """The serving image in ECR of the same region, with tag or digest."""
    place: str = ""
    """Folder of S3 for model data, such as s3://BUCKET/assay/models."""
    instance: str = "ml.c6i.xlarge"
    instances: int = 2
    """Instances at first. With fewer than 2 there is no canary: all traffic moves at once, and the old instance stays
    for the bake time."""
    most: int = 0
    """Most instances of the autoscaling; 0: no autoscaling."""
    load: float = 300.0
    """Requests a minute and instance that the autoscaling aims at. Take it from a load test of your own documents."""
    share: float = 10.0
    """Percent of the instances that are the canary; at least one, and at most half, which is SageMaker's own limit."""
    bake: float = 600.0
    """Seconds for which the canary serves, and then the old instances are kept, while alarms may roll back."""
    alarms: tuple[str, ...] = ()
    """Alarms of CloudWatch that roll an update back. Without any, no traffic makes it go back."""
    within: float = 3600.0
    """Seconds in which a version must serve."""
    poll: float = 15.0
    """Seconds between two looks at the endpoint."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r} is no name of an endpoint",
                where="--name",
                fix="Give at most 38 letters, digits and hyphens",
            )
        for name, low, high in (("share", 1, 50), ("bake", 0, 3600), ("instances", 1, 1000), ("load", 1e-9, math.inf)):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"--{name} is {getattr(self, name):g}", fix=f"Give {low:g} to {high:g}")
        for name in ("within", "poll"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"--{name} is {getattr(self, name):g}", fix="Give a number above 0")
        if self.most and self.most < self.instances:
            raise InputError(f"--most is {self.most}, below --instances {self.instances}", fix="Raise it")
        if not self.instance.startswith("ml."):
            raise InputError(f"{self.instance!r} is no instance type", where="--instance", fix="Such as ml.c6i.xlarge")

    def bucket(self) -> tuple[str, str]:
        """Return bucket and prefix of the model data. Raise InputError if the place is none of S3."""
        found = PLACE.fullmatch(self.place)
        if not found:
            raise InputError(
                f"{self.place!r} is no folder of S3", where="--place", fix="Give one such as s3://BUCKET/assay/models"
            )
        return found["bucket"], (found["prefix"] or "").strip("/")

    def canary(self, instances: int) -> int:
        """Return the instances of the canary, of a fleet of `instances`; 0 if the fleet is too small for one."""
        return min(max(1, int(instances * self.share / 100)), instances // 2)
