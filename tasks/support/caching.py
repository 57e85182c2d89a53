"""Cache versions made of the code that a task depends on, so that nobody has to raise one by hand.

The version of a task covers its own module, all modules of `assay` that it imports, directly or through others, the
data files of their rooms (rubrics, templates), and the lock. Other tasks, Decks and resources are not in it: they
cannot change a result.
"""

import ast
import hashlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from flytekit import Cache
from flytekit.core.cache import VersionParameters

ROOT = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"


STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of a statement that hold further statements."""


class _Source(NamedTuple):
    """What the versions need of one file of code."""

    digest: bytes
    """sha256 of its bytes."""
    imports: tuple[str, ...]
    """Dotted names below `assay` that it imports, also inside functions."""

    @classmethod
    def read(cls, path: str) -> "_Source":
        """Return the file, parsed once for all tasks unless it changes."""
        found = Path(path).stat()
        return _parse(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4_096)
def _parse(path: str, changed: int, size: int) -> _Source:
    # All tasks are versioned while workflows are imported: this is part of the start of every run and every pod.
    content = Path(path).read_bytes()
    names: set[str] = set()
    left: list[ast.AST] = [ast.parse(content)]
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # `b` of `from a import b` may be a module, too.
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        # Imports are statements, so expressions, which are most of a file, need not be searched.
        for field in STATEMENTS:
            left.extend(getattr(node, field, ()))
    ours = (name for name in names if name == "assay" or name.startswith("assay."))
    return _Source(hashlib.sha256(content).digest(), tuple(sorted(ours)))


def _rooms(root: Path) -> dict[str, dict[str, str]]:
    """Return folder -> name -> path of the files below `assay`. A folder is a dotted name, as a module is."""
    found = {}
    for folder, _, files in os.walk(root / "assay"):
        room = folder.removeprefix(f"{root}{os.sep}").replace(os.sep, ".")
        if not room.endswith("__pycache__"):
            found[room] = {name: f"{folder}{os.sep}{name}" for name in files}
    return found


def _files_of(name: str, rooms: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the file of a dotted name below `assay`, with the `__init__.py` of each package that contains it."""
    parts = name.split(".")
    for depth, last in enumerate(parts, start=1):
        above = rooms.get(".".join(parts[: depth - 1]), {})
        file = rooms.get(".".join(parts[:depth]), {}).get("__init__.py") or above.get(f"{last}.py")
        if file:
            yield file


def closure(module: Path, root: Path = ROOT) -> tuple[Path, ...]:
    """Return the files that a module depends on: itself, its imports of `assay`, and the data files of their rooms."""
    rooms = _rooms(root)
    seen, left, names = {str(module)}, [str(module)], set[str]()
    while left:
        for name in _Source.read(left.pop()).imports:
            if name not in names:
                names.add(name)
                new = set(_files_of(name, rooms)) - seen
                seen |= new
                left.extend(new)
    own = tuple(room for room in rooms if room != "assay" and rooms[room].get("__init__.py") in seen)
    data = {
        path
        for room, files in rooms.items()
        if f"{room}.".startswith(tuple(f"{each}." for each in own))
        for name, path in files.items()
        if not name.endswith(".py")
    }
    return tuple(sorted(map(Path, seen | data)))


def code_version(module: Path, root: Path = ROOT) -> str:
    """Return the sha256 over the closure of a module of the checkout at `root` and over the lock, 64 hex digits."""
    digest = hashlib.sha256()
    for file in (*closure(module, root), *(path for path in [root / LOCK] if path.is_file())):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        code = file.suffix == ".py"
        digest.update(_Source.read(str(file)).digest if code else hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class CodePolicy:
    """A CachePolicy of flytekit: the version of a task is that of the code that it depends on."""

    def __init__(self, also: Callable[[], str] | None = None) -> None:
        """`also` returns a digest of code that the result depends on and the task does not import."""
        self._also = also

    def get_version(self, salt: str, params: VersionParameters[Any, Any]) -> str:
        """Return the version of a task."""
        spec = importlib.util.find_spec(params.func.__module__)
        module = Path(spec.origin) if spec and spec.origin else Path(inspect.getfile(params.func))
        # flytekit has one local cache for all checkouts of a user: without a salt, the outputs of one would be those of
        # another, in its work folder.
        local = os.environ.get("ASSAY_CACHE_SALT", "")
        version = code_version(module)
        if self._also:
            version = hashlib.sha256(f"{version}{self._also()}".encode()).hexdigest()
        return f"{version}{salt}{local}"


def by_content(*ignored: str, also: Callable[[], str] | None = None) -> Cache:
    """Return a cache by code and inputs.

    `ignored` names inputs that cannot change the result: locations, trackers, and inputs that only order tasks. `also`:
    see `CodePolicy`.
    """
    return Cache(policies=CodePolicy(also), ignored_inputs=ignored)
