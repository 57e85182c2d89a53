"""Copies with names that stay, of outputs that Flyte stores under random names."""

import os
import shutil
from pathlib import Path

from assay.storage import Snapshot
from tasks.support.settings import on_cluster, work_folder


def shelved(snapshot: Snapshot, shelf: str) -> str:
    """Return the folder of a snapshot in the work folder, named by its version; make it of hard links.

    A snapshot in a store or on a pod's disk stays where it is, and its own place is returned.
    """
    if on_cluster() or not Path(snapshot.url).is_dir():
        return snapshot.url
    kept = work_folder() / shelf / snapshot.manifest.version[:12]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(snapshot.url, kept, copy_function=os.link)
        except (OSError, shutil.Error):  # there are no hard links between file systems
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(snapshot.url, kept)
    return str(kept)
