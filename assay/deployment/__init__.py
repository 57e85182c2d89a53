"""A version put where clients reach it, replaced without a request lost, taken back: on this machine, in a cluster."""

from assay.deployment.choose import open_target
from assay.deployment.cluster import KubernetesSettings
from assay.deployment.kubernetes import KubernetesTarget
from assay.deployment.local import LocalSettings, LocalTarget
from assay.deployment.smoke import smoke_test
from assay.deployment.target import Deployed, FailedDeploymentError, Status, Target

__all__ = [
    "Deployed",
    "FailedDeploymentError",
    "KubernetesSettings",
    "KubernetesTarget",
    "LocalSettings",
    "LocalTarget",
    "Status",
    "Target",
    "open_target",
    "smoke_test",
]
