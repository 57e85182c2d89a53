"""Names that stay, for what Flyte keeps under random ones."""

import os
import shutil
from pathlib import Path

from assay.storage import Snapshot
from tasks.support.settings import on_cluster, work_folder


def shelved(snapshot: Snapshot, shelf: str) -> str:
    """Where a person finds a snapshot: in the work folder by its version, on the same blocks of the disk.

    A snapshot in a store, or on a pod's disk, stays where it is.
    """
    if on_cluster() or not Path(snapshot.url).is_dir():
        return snapshot.url
    kept = work_folder() / shelf / snapshot.manifest.version[:12]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(snapshot.url, kept, copy_function=os.link)
        except (OSError, shutil.Error):  # another file system
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(snapshot.url, kept)
    return str(kept)
