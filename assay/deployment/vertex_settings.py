"""Settings of an endpoint of Vertex AI."""

import math
import re
from dataclasses import dataclass, field

from assay.cloud import GoogleSettings, require_google_image
from assay.errors import InputError

NAME = re.compile(r"[a-z][a-z0-9-]{0,36}[a-z0-9]")
"""Leaves room for `-`, a version, `-` and a digest of 8 within the 63 characters of Vertex AI."""
PLACE = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^?#]*)?")


@dataclass(frozen=True)
class VertexSettings:
    """The endpoint, what it runs on, and how another version takes its place."""

    registry: str
    google: GoogleSettings = field(default_factory=GoogleSettings)
    name: str = "assay-serving"
    """Id of the endpoint."""
    image: str = ""
    """The serving image in Artifact Registry, with tag or digest."""
    place: str = ""
    """Folder of Cloud Storage for models, such as gs://BUCKET/assay/models."""
    role: str = ""
    """Service account that the containers run as; it reads `place`. Empty: that of Vertex AI."""
    instance: str = "n2-standard-4"
    instances: int = 1
    """Replicas at least, for each deployed version."""
    most: int = 0
    """Replicas at most, by the CPUs' use; 0: `instances`."""
    share: float = 10.0
    """Percent of the requests that a new version gets first."""
    bake: float = 600.0
    """Seconds for which it gets them, while its golden documents are asked again and again."""
    within: float = 3600.0
    """Seconds for one operation of Vertex AI."""
    poll: float = 15.0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r} is no id of an endpoint",
                where="--name",
                fix="Give at most 38 small letters, digits and hyphens",
            )
        for name, low, high in (("share", 1, 99), ("bake", 0, 86_400), ("instances", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"--{name} is {getattr(self, name):g}", fix=f"Give {low:g} to {high:g}")
        for name in ("within", "poll"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"--{name} is {getattr(self, name):g}", fix="Give a number above 0")
        if self.most and self.most < self.instances:
            raise InputError(f"--most is {self.most}, below --instances {self.instances}", fix="Raise it")

    def require_usable(self) -> None:
        """Raise InputError if image or place cannot be used."""
        require_google_image(self.image)
        if not PLACE.fullmatch(self.place):
            raise InputError(
                f"{self.place!r} is no folder of Cloud Storage",
                where="--place",
                fix="Give one such as gs://BUCKET/assay/models",
            )
