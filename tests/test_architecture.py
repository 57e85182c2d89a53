"""The one-way flow of the house, and habits that a reader relies on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("assay", "tasks", "workflows")


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_imports_keep_to_their_contracts() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stdout
    assert "5 kept, 0 broken" in run.stdout


def test_a_room_is_entered_through_its_door() -> None:
    """Outside a room only what its `__init__.py` exports is imported."""
    rooms = {path.parent.name for path in (ROOT / "assay").glob("*/__init__.py")}
    found = []
    for path in modules():
        own = path.relative_to(ROOT).parts[1] if path.is_relative_to(ROOT / "assay") else None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("assay."):
                _, room, *inside = node.module.split(".")
                if room in rooms and room != own and inside:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.module}")
    assert found == []


def test_what_a_room_exports_is_there() -> None:
    import importlib

    for path in (ROOT / "assay").glob("*/__init__.py"):
        room = importlib.import_module(f"assay.{path.parent.name}")
        assert room.__all__ == sorted(room.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        assert all(hasattr(room, name) for name in room.__all__), room.__name__
        assert room.__doc__


PUBLIC = ("client",)
"""Rooms for the code of users, which nothing here needs to import."""


def test_a_room_exports_what_others_use_and_no_more() -> None:
    """An export that only tests use is dead code, or a test of the inside."""
    used: set[tuple[str, str]] = set()
    others = [path for package in ("benchmarks", "infra") for path in sorted((ROOT / package).rglob("*.py"))]
    for path in [*modules(), *others]:
        own = path.relative_to(ROOT).parts[1] if path.is_relative_to(ROOT / "assay") else None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                _, _, room = node.module.partition(".")
                if node.module.startswith("assay.") and room != own:
                    used |= {(room, alias.name) for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.add((node.value.id, node.attr))  # `from assay import release`, then `release.deploy`
    unused = []
    for path in sorted((ROOT / "assay").glob("*/__init__.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                room, names = path.parent.name, ast.literal_eval(node.value)
                unused += [f"{room}.{name}" for name in names if (room, name) not in used]
    assert [name for name in unused if name.partition(".")[0] not in PUBLIC] == []


def test_every_public_function_says_what_it_does() -> None:
    silent = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
                and not any(
                    isinstance(base, ast.Name) and base.id == "NamedTuple" for base in getattr(node, "bases", [])
                )
            ):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert silent == []


@pytest.mark.parametrize("module", ["assay.tracking", "assay.registry", "assay.storage", "assay.cli", "assay.rubric"])
def test_light_modules_do_not_import_heavy_libraries(module: str) -> None:
    heavy = ("torch", "transformers", "mlflow", "neptune", "wandb", "sklearn")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout.strip() == "[]"
