"""Print the tests that `make test-fast` runs: those of one room or of the changed rooms, and those of the structure."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STRUCTURE = "tests/test_architecture.py"
TABLE = "tests/assay/bad_input"
ROWS = {
    "curation": ("test_snapshots.py",),
    "deployment": ("test_deployment.py",),
    "model": ("test_models.py",),
    "monitoring": ("test_watch.py",),
    "overview": ("test_watch.py",),
    "promotion": ("test_registry.py",),
    "registry": ("test_registry.py",),
    "sources": ("test_sources.py",),
    "storage": ("test_snapshots.py",),
}
"""Files of the table of bad input whose rows are mostly about one room."""
FOLDERS = {
    "workflows": "tests/workflows",
    "tasks": "tests/tasks",
    "integrations": "tests/integrations",
    "infra": "tests/infra",
    "Dockerfile": "tests/infra",
    "docs": "tests/docs",
    "mkdocs.yml": "tests/docs",
}


def of_room(name: str) -> list[str]:
    """Return the tests of a room. Raise SystemExit if no room has this name."""
    if name in FOLDERS:
        return [FOLDERS[name]]
    folder = f"tests/assay/{name}"
    if not (ROOT / folder).is_dir() and not (ROOT / "assay" / name).is_dir():
        rooms = sorted({path.name for path in (ROOT / "assay").iterdir() if path.is_dir() and path.name[0] != "_"})
        raise SystemExit(f"no room {name!r}. Name one of: {', '.join((*rooms, 'tasks', 'workflows', 'infra', 'docs'))}")
    rows = [f"{TABLE}/{file}" for file in ROWS.get(name, ())]
    return [*([folder] if (ROOT / folder).is_dir() else []), *rows]


def of_file(path: str) -> list[str]:
    """Return the tests of one changed file; none for a file of no room."""
    parts = path.removeprefix("tests/").split("/")
    if path.startswith("tests/") and parts[-1].startswith("test_"):
        return [path] if (ROOT / path).exists() else []
    if parts[0] == "assay" and len(parts) > 2:
        return of_room(parts[1]) if (ROOT / "assay" / parts[1]).is_dir() else []
    if parts[0] == "assay":
        own = f"tests/assay/test_{parts[-1]}"
        return [own] if (ROOT / own).exists() else []
    return of_room(parts[0]) if parts[0] in FOLDERS else []


def changed() -> list[str]:
    """Return the files that differ from the last commit, or those of the last commit if none does."""

    def git(*command: str) -> list[str]:
        run = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()

    now = git("diff", "--name-only", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    return now or git("show", "--name-only", "--format=", "HEAD")


def main(rooms: list[str]) -> list[str]:
    """Return paths for pytest, without a file that is in a folder of the list already."""
    found = {test for room in rooms for test in of_room(room)}
    if not rooms:
        found = {test for path in changed() for test in of_file(path)}
    return sorted(test for test in found | {STRUCTURE} if not any(test.startswith(f"{other}/") for other in found))


if __name__ == "__main__":
    print(*main(sys.argv[1:]), sep="\n")
