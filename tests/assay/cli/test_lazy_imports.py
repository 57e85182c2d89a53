"""A command imports what it needs, and nothing of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "transformers", "sklearn", "datatrove", "bentoml", "mlflow")
LIGHT = [
    "--help",
    "registry --help",
    "registry list --help",
    "registry add --help",
    "snapshot --help",
    "snapshot show --help",
    "snapshot verify --help",
    "deployment status --help",
]


@pytest.mark.parametrize("command", LIGHT)
def test_a_light_command_imports_no_heavy_library(command: str) -> None:
    code = f"""
import sys
from assay.cli import main
try:
    main({command.split()})
except SystemExit:
    pass
print([name for name in {HEAVY} if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
    assert "usage: assay" in run.stdout


def test_the_help_of_a_command_has_its_options() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "assay", "snapshot", "build", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert run.returncode == 0, run.stderr
    for option in ("--config FILE", "--similarity NUMBER", "--preset TEXT", "--pieces"):
        assert option in run.stdout


@pytest.mark.full
def test_only_the_task_that_trains_imports_torch_before_it_runs() -> None:
    """Each pod and each `pyflyte run` waits for it, and most tasks compute no score."""
    tasks = sorted({file.stem for file in (ROOT / "tasks").glob("*.py")} - {"__init__", "train"})
    code = f"""
import sys
import {", ".join(f"tasks.{name}" for name in tasks)}
print([name for name in ("torch", "transformers", "spacy", "lark") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
