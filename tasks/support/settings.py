"""Places that outlive a task, and how a cluster differs from a laptop."""

import os
from pathlib import Path

from assay.errors import InputError, without_secrets
from assay.storage import local_path, place_or_default, work_folder

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the code that was shipped."""

__all__ = [
    "ROOT",
    "lasting",
    "on_cluster",
    "require_lasting_tracker",
    "shipped_file",
    "source_location",
    "work_folder",
]


def on_cluster() -> bool:
    """Return True in the pod of a task. Its disk is lost at the end.

    Flyte's propeller gives every container of a task the id of its execution. KUBERNETES_SERVICE_HOST would not do: it
    is set in every pod, also in that of a notebook, where `pyflyte run` has a disk that stays.
    """
    return "FLYTE_INTERNAL_EXECUTION_ID" in os.environ


def lasting(given: str, variable: str, local_name: str) -> str:
    """Return a place that outlives the task: the one given, that of the environment, or one in the work folder.

    Raise InputError on a cluster if the place is on the disk of the pod, which would be lost with it. A volume that is
    mounted into the pod is no such place.
    """
    place = place_or_default(given, variable, local_name)
    if on_cluster() and on_own_disk(place):
        raise InputError(
            f"no lasting place for {local_name}: {place} is on the disk of this pod, and lost with it",
            where=given or variable,
            fix=f"Give an object store's URL, or set {variable} to one",
        )
    return place


def on_own_disk(place: str) -> bool:
    """Return True if a place is on the root file system: in a pod, the disk of its container."""
    path = local_path(place)
    if path is None:
        return False
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    return existing.stat().st_dev == Path("/").stat().st_dev


def require_lasting_tracker(tracking: str) -> None:
    """Raise InputError on a cluster if a tracker would write to the disk of the pod, which is lost with it."""
    kind, _, place = tracking.partition(":")
    sent = {"neptune": bool(os.environ.get("NEPTUNE_API_TOKEN")), "wandb": os.environ.get("WANDB_MODE") == "online"}
    kept = {"mlflow": bool(place), **sent}.get(kind, True)
    if on_cluster() and not kept:
        fix = {
            "mlflow": "mlflow:URI of a server",
            "neptune": "NEPTUNE_API_TOKEN in the pods",
            "wandb": "WANDB_MODE=online and WANDB_API_KEY in the pods",
        }[kind]
        raise InputError(
            f"no lasting place for what is tracked: tracking is {tracking!r}, which writes to the disk of this pod",
            where="tracking",
            fix=f"Give {fix}, or none",
        )


def source_location(source: str) -> str:
    """Return a source, or the path of a shipped file that is named relative to the project.

    Raise InputError if it holds a password or a signature: Flyte stores what tasks pass to each other.
    """
    if without_secrets(source) != source:
        raise InputError(
            "this source holds a password or a signature, which Flyte would store",
            where=source,
            fix="Give it to the pods by the settings of its store, or copy the source to a store that they can read",
        )
    shipped = ROOT / source
    return str(shipped) if not Path(source).exists() and shipped.exists() else source


def shipped_file(name: str) -> Path:
    """Return the path of a file in the current folder, or of one that is shipped with the code."""
    return Path(source_location(name))
