"""Check that this environment can run every task.

    PYTHONPATH=CHECKOUT python infra/image/check_tasks.py

The build of an image runs it as the image's user, in its working directory, with the code of that moment. The exit
status is 1 if anything is wrong, after one line for each fault.
"""

import importlib
import importlib.metadata
import pkgutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def problems() -> list[str]:
    """Return what would keep a task from running here."""
    found = []
    for package in ("tasks", "workflows"):
        for module in pkgutil.iter_modules([str(ROOT / package)]):
            name = f"{package}.{module.name}"
            try:
                importlib.import_module(name)
            except Exception as error:  # any error: it would keep the task from starting
                found.append(f"{name} cannot be imported: {type(error).__name__}: {error}")
    if any(each.metadata["Name"] == "assay" for each in importlib.metadata.distributions()):
        found.append("assay is installed, and would shadow the code of a registration")
    loaded = Path(getattr(sys.modules.get("assay"), "__file__", None) or ".").resolve()
    if not loaded.is_relative_to(ROOT):
        found.append(f"assay was not imported from {ROOT}, but from {loaded.parent}")
    # Flyte unpacks the code of a registration into the working directory.
    try:
        with tempfile.TemporaryFile(dir="."):
            pass
    except OSError as error:
        found.append(f"the working directory {Path.cwd()} cannot be written, so no code can be unpacked there: {error}")
    return found


def main() -> int:
    """Print the faults, or what was checked, and return the exit status."""
    found = problems()
    for each in found:
        print(f"check_tasks: {each}", file=sys.stderr)
    modules = sum(name.startswith("tasks.") for name in sys.modules)
    if not found:
        print(f"{modules} modules of tasks can be imported; torch {importlib.metadata.version('torch')}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
