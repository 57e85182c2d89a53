"""Loaded first by every Python process of a pod: it has no development tools, and reports what it imports and writes.

The only thing that tests add to a pod. Beside this file lies `absent.json`: modules that the image does not have.
"""

import atexit
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ABSENT = frozenset(json.loads((HERE / "absent.json").read_text()))
written: set[str] = set()


class NoTools:
    """Refuse imports of packages that only the environment of development has."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def note_writes(event: str, arguments: tuple[object, ...]) -> None:
    """Remember the files that Python code opens for writing."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        flags = arguments[2]
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
            written.add(str(Path(os.fsdecode(arguments[0])).absolute()))


def report() -> None:
    """Write a file of its own for each process."""
    loaded = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    # Some modules of torch are objects with a relative name.
    imported = sorted({file for file in loaded if Path(file).is_absolute()})
    found = {"imported": imported, "written": sorted(written)}
    (HERE / f"process-{os.getpid()}.json").write_text(json.dumps(found))


sys.meta_path.insert(0, NoTools)
sys.addaudithook(note_writes)
atexit.register(report)
