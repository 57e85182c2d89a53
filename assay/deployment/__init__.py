"""A version put where clients reach it, replaced without a request lost, taken back: on this machine, in a cluster."""

from assay.deployment.local import LocalSettings, LocalTarget
from assay.deployment.target import Deployed, FailedDeploymentError, Status, Target

__all__ = [
    "Deployed",
    "FailedDeploymentError",
    "LocalSettings",
    "LocalTarget",
    "Status",
    "Target",
]
