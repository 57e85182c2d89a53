"""How a deployment target is described, for whoever offers the settings before a target is opened."""

import os
from collections.abc import Mapping

from assay.errors import InputError

SETTINGS = {
    "target": ("local or kubernetes", "local"),
    "folder": ("local: of the state (default: deployment in the work folder)", ""),
    "host": ("local: address to listen at", "127.0.0.1"),
    "port": ("local: that clients know", "3000"),
    "namespace": ("kubernetes: of the Deployment", "assay"),
    "name": ("kubernetes: of the Deployment", "assay-serving"),
    "context": ("kubernetes: of the kubeconfig (default: its current one; in a pod, its service account)", ""),
    "url": ("kubernetes: how the service is reached from here (default: by its name in the cluster)", ""),
    "within": ("seconds in which a version has to serve (default: 180 local, 900 kubernetes)", ""),
}
"""Setting -> what it is, and its default. Each may be set by `ASSAY_DEPLOY_<SETTING>`, too."""


def target_settings(given: Mapping[str, str | None]) -> dict[str, str]:
    """All of SETTINGS: those given, those of the environment, the defaults."""
    found = {}
    for name, (_, default) in SETTINGS.items():
        value = given.get(name)
        found[name] = os.environ.get(f"ASSAY_DEPLOY_{name.upper()}", default) if value is None else str(value)
    return found


def parse_target(given: str) -> dict[str, str]:
    """SETTINGS as people write them in one line: `kubernetes,namespace=prod`; the first may be the target alone.

    Raises InputError for a setting that there is not.
    """
    found = {}
    for place, entry in enumerate(part.strip() for part in given.split(",") if part.strip()):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals and place == 0:
            name, value = "target", entry
        if name not in SETTINGS or not value:
            raise InputError(
                f"{entry!r} is no setting of a target", where=given, fix=f"Give NAME=VALUE of: {', '.join(SETTINGS)}"
            )
        found[name] = value
    return found
