"""Where a workflow deploys to: on a laptop this machine by default, on a cluster the cluster."""

from assay.deployment import parse_target, target_settings
from assay.errors import InputError
from tasks.support.settings import on_cluster


def target_of(given: str) -> dict[str, str]:
    """Return the settings of a target. Raise InputError if it is unknown, or this machine in a pod.

    The processes of a pod end with it, so it can serve nothing.
    """
    settings = parse_target(given or ("kubernetes" if on_cluster() else ""))
    if on_cluster() and target_settings(settings)["target"] == "local":
        raise InputError(
            f"target {given!r} is this machine: a pod, whose processes end with it",
            where="target",
            fix="Give kubernetes",
        )
    return settings
