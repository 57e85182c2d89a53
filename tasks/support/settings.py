"""Places that outlive a task, and how a cluster differs from a laptop."""

import os
from pathlib import Path

from assay.errors import InputError
from assay.storage import place_or_default, work_folder

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the code that was shipped."""

__all__ = ["ROOT", "lasting", "on_cluster", "shipped_file", "source_location", "work_folder"]


def on_cluster() -> bool:
    """Return True in the pod of a task. Its disk is lost at the end."""
    return "FLYTE_INTERNAL_EXECUTION_ID" in os.environ


def lasting(given: str, variable: str, local_name: str) -> str:
    """Return a place that outlives the task: the one given, that of the environment, or one in the work folder.

    Raise InputError on a cluster if neither is set: a folder of the pod would be lost with it.
    """
    if on_cluster() and not (given or os.environ.get(variable)):
        raise InputError(
            f"no lasting place for {local_name}",
            where="this runs in a pod",
            fix=f"Give an object store's URL, or set {variable}",
        )
    return place_or_default(given, variable, local_name)


def source_location(source: str) -> str:
    """Return a source, or the path of a shipped file that is named relative to the project."""
    shipped = ROOT / source
    return str(shipped) if not Path(source).exists() and shipped.exists() else source


def shipped_file(name: str) -> Path:
    """Return the path of a file in the current folder, or of one that is shipped with the code."""
    return Path(source_location(name))
