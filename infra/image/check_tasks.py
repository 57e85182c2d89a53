"""Whether this environment can run every task: python infra/image/check_tasks.py, with a checkout on PYTHONPATH.

Run while the images of tasks are built, by the image's own user, in its working directory, with the code as it is then.
Exit status 1 after one line that says what was wrong.
"""

import importlib
import importlib.metadata
import pkgutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def problems() -> list[str]:
    """What would keep a task from running here; empty where nothing would."""
    found = []
    for package in ("tasks", "workflows"):
        for module in pkgutil.iter_modules([str(ROOT / package)]):
            name = f"{package}.{module.name}"
            try:
                importlib.import_module(name)
            except Exception as error:  # whatever it is, the task could not start
                found.append(f"{name} cannot be imported: {type(error).__name__}: {error}")
    if any(each.metadata["Name"] == "assay" for each in importlib.metadata.distributions()):
        found.append("assay is installed, and would shadow the code of a registration")
    loaded = Path(getattr(sys.modules.get("assay"), "__file__", None) or ".").resolve()
    if not loaded.is_relative_to(ROOT):
        found.append(f"assay was not imported from {ROOT}, but from {loaded.parent}")
    try:
        with tempfile.TemporaryFile(dir="."):
            pass
    except OSError as error:
        found.append(f"the working directory {Path.cwd()} cannot be written, so no code can be unpacked there: {error}")
    return found


def main() -> int:
    found = problems()
    for each in found:
        print(f"check_tasks: {each}", file=sys.stderr)
    modules = sum(name.startswith("tasks.") for name in sys.modules)
    if not found:
        print(f"{modules} modules of tasks can be imported; torch {importlib.metadata.version('torch')}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
