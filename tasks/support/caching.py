"""Cache versions made from what a task depends on, so that nobody has to remember to raise one.

The version of a task covers its own module, every module of `assay` that it imports, directly or through others
(with the data files of their rooms: rubrics, templates), and the lock. Other tasks, Decks and resources are not
in it: they cannot change a result.
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
    """Dotted names that a module imports, those inside functions included, and each `from a import b` as `a.b` too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _files_of(name: str, root: Path) -> set[Path]:
    """The file of a dotted name below `assay`, with the `__init__.py` of every package on the way."""
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
    """Files that a module depends on: itself, what it imports of `assay`, and the data files of those rooms."""
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
    """Digest over the closure of a module of the checkout at `root`, and the lock."""
    digest = hashlib.sha256()
    for file in (*closure(module, root), *(path for path in [root / LOCK] if path.is_file())):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class CodePolicy:
    """flytekit's CachePolicy: the version of a task is that of the code it depends on.

    ASSAY_CACHE_SALT is mixed in where it is set: flytekit keeps one local cache a user, and two checkouts
    that shared its entries would point into each other's work folders.
    """

    def __init__(self, also: Callable[[], str] | None = None) -> None:
        """`also`: digest of what a result depends on beside what its task imports."""
        self._also = also

    def get_version(self, salt: str, params: VersionParameters[Any, Any]) -> str:
        spec = importlib.util.find_spec(params.func.__module__)
        module = Path(spec.origin) if spec and spec.origin else Path(inspect.getfile(params.func))
        local = os.environ.get("ASSAY_CACHE_SALT", "")
        version = code_version(module)
        if self._also:
            version = hashlib.sha256(f"{version}{self._also()}".encode()).hexdigest()
        return f"{version}{salt}{local}"


def by_content(*ignored: str, also: Callable[[], str] | None = None) -> Cache:
    """Cache by code and inputs; `ignored` names inputs that say where or for whom, not what. `also`: see CodePolicy."""
    return Cache(policies=CodePolicy(also), ignored_inputs=ignored)
