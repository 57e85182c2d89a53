"""Open a deployment target from given settings and the environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from assay.cloud import AwsSettings, GoogleSettings
from assay.deployment.cluster import KubernetesSettings
from assay.deployment.kubernetes import KubernetesTarget
from assay.deployment.local import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.deployment.sagemaker import SageMakerTarget
from assay.deployment.sagemaker_settings import SageMakerSettings
from assay.deployment.settings import target_settings
from assay.deployment.target import Target
from assay.deployment.vertex import VertexTarget
from assay.deployment.vertex_settings import VertexSettings
from assay.errors import InputError
from assay.storage import require_folder, work_folder

T = TypeVar("T")


def open_target(given: Mapping[str, str | None], registry: str) -> Target:
    """Open the target of given settings, for versions of a registry. Raise InputError if a setting cannot be used."""
    settings = target_settings(given)
    # Without a given limit each target has its own default.
    within: dict[str, Any] = {"within": _number("within", settings["within"], float)} if settings["within"] else {}
    if settings["target"] == "local":
        folder = settings["folder"] or str(work_folder() / "deployment")
        if "://" in folder:
            raise InputError(f"{folder} is a URL", where="--folder", fix="Name a folder of this machine")
        require_folder(folder)
        port = _number("port", settings["port"], int)
        return LocalTarget(LocalSettings(Path(folder), registry, settings["host"], port, **within))
    if settings["target"] == "kubernetes":
        kubeconfig = os.environ.get("KUBECONFIG", "")
        return KubernetesTarget(
            KubernetesSettings(
                settings["namespace"], settings["name"], settings["context"], kubeconfig, settings["url"], **within
            )
        )
    if settings["target"] == "sagemaker":
        return _sagemaker(settings, registry, within)
    if settings["target"] == "vertex":
        return _vertex(settings, registry, within)
    raise InputError(
        f"there is no target {settings['target']!r}",
        where="--target",
        fix="Give local, kubernetes, sagemaker or vertex",
    )


def _sagemaker(settings: Mapping[str, str], registry: str, within: Mapping[str, Any]) -> Target:
    numbers = _numbers(settings, {"instances": int, "most": int, "load": float, "share": float, "bake": float})
    return SageMakerTarget(
        SageMakerSettings(
            registry,
            aws=AwsSettings(settings["region"], settings["profile"]),
            alarms=tuple(name for name in settings["alarms"].split("+") if name),
            **_given(settings, "name", "role", "image", "place", "instance"),
            **numbers,
            **within,
        )
    )


def _vertex(settings: Mapping[str, str], registry: str, within: Mapping[str, Any]) -> Target:
    numbers = _numbers(settings, {"instances": int, "most": int, "share": float, "bake": float})
    return VertexTarget(
        VertexSettings(
            registry,
            google=GoogleSettings(settings["project"], settings["region"]),
            **_given(settings, "name", "role", "image", "place", "instance"),
            **numbers,
            **within,
        )
    )


def _given(settings: Mapping[str, str], *names: str) -> dict[str, Any]:
    """Return the settings that are not empty: the others have the default of their target."""
    return {name: settings[name] for name in names if settings[name]}


def _numbers(settings: Mapping[str, str], kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    return {name: _number(name, settings[name], kind) for name, kind in kinds.items() if settings[name]}


def _number(name: str, text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise InputError(f"--{name} is {text!r}", fix=f"Give {whole}") from None
