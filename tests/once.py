"""What is made once for all workers of a run, by the first that needs it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name` of this run, which `make` has filled in some worker. Tests only read it."""
    base = factory.getbasetemp()
    # Each worker has a folder of its own below that of the run.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    done = folder.parent / f"{name}.made"
    with FileLock(folder.parent / f"{name}.lock"):
        if not done.exists():
            make(folder)
            done.touch()
    return folder
