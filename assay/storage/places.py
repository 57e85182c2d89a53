"""Places on this machine that outlive a run, if no other place is given."""

import os
from pathlib import Path

WORK = "ASSAY_WORK"
"""Environment variable of the work folder: registry, ledgers, scores, pieces, checkpoints, tracker, reports."""


def work_folder() -> Path:
    """Return the folder named by ASSAY_WORK, or `work` in the current folder."""
    return Path(os.environ.get(WORK) or "work").absolute()


def place_or_default(given: str, variable: str, name: str) -> str:
    """Return the place given, otherwise that of an environment variable, otherwise `name` in the work folder."""
    return given or os.environ.get(variable, "") or str(work_folder() / name)
