"""`pip install .` into an empty environment gives an `assay` that works outside the checkout."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample" / "documents.jsonl"


@pytest.mark.full
@pytest.mark.timeout(900)
def test_an_empty_environment_gets_a_working_command(tmp_path: Path) -> None:
    checkout, python = tmp_path / "checkout", tmp_path / "environment" / "bin" / "python"
    # Of the checkout, what a build reads: setuptools writes beside it.
    for name in ("assay", "pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            checkout.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / name, checkout / name)
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True, timeout=120)
    uv = Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    environment = {**os.environ, "UV_FIND_LINKS": links} if links else dict(os.environ)
    subprocess.run([*map(str, install), str(checkout)], check=True, timeout=600, env=environment)

    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ASSAY_WORK")}
    place = tmp_path / "elsewhere"
    place.mkdir()

    def assay(*arguments: str) -> str:
        done = subprocess.run(
            [str(python.with_name("assay")), *arguments],
            cwd=place,
            env={**clean, "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "score" in assay("--help")
    labelled = ["--data", str(SAMPLE), "--label-column", "label", "--rubric", "education", "--id-column", "id"]
    assay("train", *labelled, "--recipe", "lexical", "--no-learning-curve", "--no-refit", "--output", "model")
    assay("score", str(SAMPLE), "--model", "model", "--output", "scores")
    assay("select", str(SAMPLE), "--model", "model", "--scores", "scores", "--share", "0.1", "--output", "selection")
    assert (place / "selection" / "manifest.json").is_file()
    assert (place / "model" / "report.html").is_file()
    # The extras are not there: a package that only they bring is not installed.
    listed = subprocess.run([python, "-c", "import bentoml"], capture_output=True, timeout=60)
    assert listed.returncode != 0
    # What serves is packed with this lock, which a wheel brings.
    assert (python.parents[1] / "share" / "assay" / "requirements.lock").is_file()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"assay": "assay.cli:main"}
