"""Loaded first by every Python process of a pod: it has no development tools, and reports what it imports and writes.

The only thing that tests add to a pod. Beside this file lies `absent.json`: modules that the image does not have.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
ABSENT = frozenset(json.loads((HERE / "absent.json").read_text()))
written: set[str] = set()


class Without:
    """A finder of modules that does not find those that only the environment of development has."""

    def __init__(self, finder: Any) -> None:
        self.finder = finder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in ABSENT else self.finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def note_writes(event: str, arguments: tuple[object, ...]) -> None:
    """Remember the files that Python code opens for writing."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        flags = arguments[2]
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
            written.add(str(Path(os.fsdecode(arguments[0])).absolute()))


def report() -> None:
    """Write a file of its own for each process."""
    # Lazy modules would be imported by asking them for an attribute; and some of torch have a relative name.
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    loaded = [str(object.__getattribute__(module, "__dict__").get("__file__") or "") for module in modules]
    imported = sorted({file for file in loaded if Path(file).is_absolute()})
    found = {"imported": imported, "written": sorted(written)}
    (HERE / f"process-{os.getpid()}.json").write_text(json.dumps(found))


sys.meta_path[:] = map(Without, sys.meta_path)
sys.addaudithook(note_writes)
atexit.register(report)
