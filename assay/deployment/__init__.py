"""Deploy a version where clients reach it, replace it without losing a request, roll it back: local or in a cluster."""

from assay.deployment.canary import (
    Canary,
    CanaryConfig,
    CanaryTarget,
    WithdrawnError,
)
from assay.deployment.choose import open_target
from assay.deployment.local import LocalTarget
from assay.deployment.settings import canary_of, parse_target, setting_help, target_settings
from assay.deployment.smoke import smoke_test
from assay.deployment.target import Deployed, Status, Target

__all__ = [
    "Canary",
    "CanaryConfig",
    "CanaryTarget",
    "Deployed",
    "LocalTarget",
    "Status",
    "Target",
    "WithdrawnError",
    "canary_of",
    "open_target",
    "parse_target",
    "setting_help",
    "smoke_test",
    "target_settings",
]
