"""The base install trains, measures, scores and selects; a command that needs an extra names it."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from assay.cli.extras import MODULES, missing_extra

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "data" / "sample" / "documents.jsonl"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOT_NEEDED = {"all", "dev", "docs", "kedro"}
THROUGH = {"prometheus_client": "bentoml", "starlette": "bentoml"}
"""Module -> the package of pyproject.toml that brings it along."""
WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked} or name == "google.auth":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from assay.cli import main
raise SystemExit(main(sys.argv[1:]))
"""
"""A program that is `assay` without the modules of the extras."""


def base_install(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `assay` in `folder` as the base install would."""
    # s3fs and gcsfs bring parts of google and boto; the base install has them.
    blocked = sorted(set(MODULES) - {"google"})
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(blocked=set(blocked)), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def name_of(requirement: str) -> str:
    """Return the name of a requirement, in the form that package indexes compare."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ]", requirement)[0]).lower()


def test_each_module_of_an_extra_is_named_with_its_extra() -> None:
    extras = {
        name_of(requirement): extra
        for extra, requirements in PROJECT["optional-dependencies"].items()
        if extra not in NOT_NEEDED
        for requirement in requirements
    }
    base = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    packages = importlib.metadata.packages_distributions()
    modules = {"google": ["google-auth"], **{module: [package] for module, package in THROUGH.items()}}
    imported = {
        name.partition(".")[0]
        for file in (ROOT / "assay").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) and node.module else
                     [alias.name for alias in node.names])
    }  # fmt: skip
    for module in sorted(imported | set(MODULES)):
        found = {name_of(package) for package in modules.get(module, packages.get(module, []))}
        if found & set(extras) and not found & base:
            assert MODULES.get(module) in {extras[package] for package in found & set(extras)}, module


def test_a_module_of_no_extra_is_not_explained_away() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'assay.typo'", name="assay.typo")) is None
    assert "'.[serve]'" in str(missing_extra(ModuleNotFoundError("…", name="bentoml.io")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the base install has trained, measured, scored, selected and registered."""
    folder = tmp_path_factory.mktemp("base")
    labelled = ["--data", str(SAMPLE), "--label-column", "label", "--rubric", "education", "--id-column", "id"]
    for arguments in (
        ["train", *labelled, "--recipe", "lexical", "--no-learning-curve", "--no-refit", "--output", "model"],
        ["evaluate", *labelled, "--model", "model", "--output", "evaluation.json"],
        ["snapshot", "build", str(SAMPLE), "--preset", "none", "--output", "corpus"],
        ["score", "corpus", "--model", "model", "--output", "scores"],
        ["select", "corpus", "--model", "model", "--scores", "scores", "--share", "0.1", "--output", "selection"],
        ["registry", "add", "model", "--promote-refused", "a lexical model on the sample"],
    ):
        done = base_install(arguments, folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_base_install_trains_measures_scores_and_selects(trained: Path) -> None:
    assert json.loads((trained / "selection" / "manifest.json").read_text())["rows"] > 0
    assert (trained / "evaluation.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["snapshot", "build", str(SAMPLE), "--preset", "fineweb", "--output", "clean"], "web"),
        (["serve"], "serve"),
        (["deploy", "champion", "--port", "39871"], "serve"),
    ],
)
def test_a_command_that_needs_an_extra_names_it_and_leaves_nothing(
    arguments: list[str], extra: str, trained: Path
) -> None:
    before = sorted(trained.iterdir())

    done = base_install(arguments, trained)

    assert done.returncode == 2, done.stderr
    assert f"pip install '.[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(trained.iterdir()) - set(before) <= {trained / "work"}
