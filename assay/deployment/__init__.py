"""A version put where clients reach it, replaced without a request lost, taken back: on this machine, in a cluster."""

from assay.deployment.choose import open_target
from assay.deployment.local import LocalTarget
from assay.deployment.settings import SETTINGS, parse_target, target_settings
from assay.deployment.smoke import smoke_test
from assay.deployment.target import Status, Target

__all__ = [
    "SETTINGS",
    "LocalTarget",
    "Status",
    "Target",
    "open_target",
    "parse_target",
    "smoke_test",
    "target_settings",
]
