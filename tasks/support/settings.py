"""Where this machine keeps what a run leaves behind, and how a cluster differs from a laptop."""

import os
from pathlib import Path

from assay.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def work_folder() -> Path:
    """ASSAY_WORK, or `work` below the current folder: registry, ledgers, tracker, reports, checkpoints."""
    return Path(os.environ.get("ASSAY_WORK", "work")).absolute()


def on_cluster() -> bool:
    """Whether this is a task's pod: its disk is lost at the end."""
    return "FLYTE_INTERNAL_EXECUTION_ID" in os.environ


def lasting(given: str, variable: str, local_name: str) -> str:
    """A place that outlives the task: the one given, that of the environment, or one in the work folder.

    Raises InputError on a cluster where neither is set: a folder of the pod would be gone with it.
    """
    place = given or os.environ.get(variable, "")
    if place:
        return place
    if on_cluster():
        raise InputError(
            f"no lasting place for {local_name}",
            where="this runs in a pod",
            fix=f"Give an object store's URL, or set {variable}",
        )
    return str(work_folder() / local_name)


def source_location(source: str) -> str:
    """A shipped file is named relative to the project, wherever its code was unpacked."""
    shipped = ROOT / source
    return str(shipped) if not Path(source).exists() and shipped.exists() else source


def split_names(given: str) -> list[str]:
    """What stands between commas."""
    return [name.strip() for name in given.split(",") if name.strip()]
