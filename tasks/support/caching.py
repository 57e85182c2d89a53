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
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from flytekit import Cache
from flytekit.core.cache import VersionParameters

ROOT = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"


@lru_cache(maxsize=512)
def _imported(source: str) -> set[str]:
    """Return the dotted names that a source imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # `b` of `from a import b` may be a module, too.
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _files_of(name: str, root: Path) -> set[Path]:
    """Return the file of a dotted name below `assay`, with the `__init__.py` of each package that contains it."""
    parts = name.split(".")
    found: set[Path] = set()
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        if (base / "__init__.py").is_file():
            found.add(base / "__init__.py")
        elif base.with_suffix(".py").is_file():
            found.add(base.with_suffix(".py"))
    return found


def closure(module: Path, root: Path = ROOT) -> tuple[Path, ...]:
    """Return the files that a module depends on: itself, its imports of `assay`, and the data files of their rooms."""
    seen, left = {module}, [module]
    while left:
        for name in _imported(left.pop().read_text(encoding="utf-8")):
            if name == "assay" or name.startswith("assay."):
                new = _files_of(name, root) - seen
                seen |= new
                left.extend(new)
    rooms = {file.parent for file in seen if file.name == "__init__.py" and file.parent != root / "assay"}
    data = {
        file
        for room in rooms
        for file in room.rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    return tuple(sorted(seen | data))


def code_version(module: Path, root: Path = ROOT) -> str:
    """Return the sha256 over the closure of a module of the checkout at `root` and over the lock, 64 hex digits."""
    digest = hashlib.sha256()
    for file in (*closure(module, root), *(path for path in [root / LOCK] if path.is_file())):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
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
