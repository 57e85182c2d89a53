"""Open a deployment target from given settings and the environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from assay.deployment.cluster import KubernetesSettings
from assay.deployment.kubernetes import KubernetesTarget
from assay.deployment.local import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.deployment.settings import target_settings
from assay.deployment.target import Target
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
    raise InputError(f"there is no target {settings['target']!r}", where="--target", fix="Give local or kubernetes")


def _number(name: str, text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise InputError(f"--{name} is {text!r}", fix=f"Give {whole}") from None
