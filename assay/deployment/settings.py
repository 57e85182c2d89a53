"""Settings of a deployment target. Commands and workflows offer them before a target is opened."""

import os
from collections.abc import Mapping

from assay.deployment.canary import CanaryConfig
from assay.errors import InputError
from assay.options import build, options_of

CANARY = "canary_"
"""Prefix of the settings that are fields of `CanaryConfig`."""
SETTINGS = {
    "target": ("local, kubernetes, sagemaker or vertex", "local"),
    "folder": ("local: folder of the state (default: deployment in the work folder)", ""),
    "host": ("local: address of the public port", "127.0.0.1"),
    "port": ("local: public port, which clients use", "3000"),
    "namespace": ("kubernetes: namespace of the Deployment", "assay"),
    "name": ("kubernetes, sagemaker, vertex: name of the Deployment or endpoint", "assay-serving"),
    "context": ("kubernetes: context of the kubeconfig (default: its current one; in a pod, the service account)", ""),
    "url": ("kubernetes: URL of the service from here (default: its name in the cluster)", ""),
    "region": ("sagemaker, vertex: region (default for sagemaker: that of the environment or profile)", ""),
    "project": ("vertex: id of the project", ""),
    "profile": ("sagemaker: profile of ~/.aws (default: the keys of the environment)", ""),
    "role": ("sagemaker: ARN of the role of the containers; vertex: their service account", ""),
    "image": ("sagemaker, vertex: serving image with tag or digest, in ECR or Artifact Registry", ""),
    "place": ("sagemaker, vertex: folder of model data, s3://… or gs://…", ""),
    "instance": ("sagemaker, vertex: machine type (default: ml.c6i.xlarge, n2-standard-4)", ""),
    "instances": ("sagemaker, vertex: machines at least (default: 2 sagemaker, 1 vertex)", ""),
    "most": ("sagemaker, vertex: machines at most, by load (default: no autoscaling)", ""),
    "load": ("sagemaker: requests a minute and machine that the autoscaling aims at (default: 300)", ""),
    "share": ("sagemaker: percent of the machines, vertex: of the requests, that get a new version first", "10"),
    "bake": ("sagemaker, vertex: seconds for which they do", "600"),
    "alarms": ("sagemaker: CloudWatch alarms that roll an update back, with + between", ""),
    "within": (
        "seconds in which a version must serve (default: 180 local, 900 kubernetes, 3600 sagemaker, vertex)",
        "",
    ),
}
"""Name of a setting -> its help and its default. Each setting may also be set by `ASSAY_DEPLOY_<SETTING>`."""


def setting_help(*, canary: bool = False) -> dict[str, tuple[str, str]]:
    """Return the name of each setting with its help and its default, in the order of a command's options.

    `canary`: also those of a canary, which only a deployment reads.
    """
    found = dict(SETTINGS)
    if canary:
        for name, option in options_of(CanaryConfig).items():
            help, default = option.help.replace("`", "").rstrip("."), option.default
            found[CANARY + name] = (help, str(default) if isinstance(default, float | int | str) else "")
    return found


def target_settings(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return all settings: the given ones that are not None, else those of the environment, else the defaults."""
    found = {}
    for name, (_, default) in setting_help(canary=True).items():
        value = given.get(name)
        found[name] = os.environ.get(f"ASSAY_DEPLOY_{name.upper()}", default) if value is None else str(value)
    return found


def canary_of(given: Mapping[str, str | None]) -> CanaryConfig | None:
    """Return the canary of given settings and the environment, or None if no share is set.

    Raise InputError if a setting cannot be used, or is given without a share.
    """
    settings = target_settings(given)
    values = {name: settings[CANARY + name] for name in options_of(CanaryConfig)}
    if not values["share"]:
        if alone := [name for name in values if given.get(CANARY + name)]:
            raise InputError(f"canary_{alone[0]} is given without canary_share", fix="Give canary_share")
        return None
    return build(CanaryConfig, values, where="canary")


def parse_target(given: str) -> dict[str, str]:
    """Parse settings from one line, such as `kubernetes,namespace=prod`. The first entry may be the target alone.

    Raise InputError if an entry is no setting or has no value.
    """
    found = {}
    for place, entry in enumerate(part.strip() for part in given.split(",") if part.strip()):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals and place == 0:
            name, value = "target", entry
        known = setting_help(canary=True)
        if name not in known or not value:
            raise InputError(
                f"{entry!r} is no setting of a target", where=given, fix=f"Give NAME=VALUE of: {', '.join(known)}"
            )
        found[name] = value
    return found
