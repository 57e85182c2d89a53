"""The archive of code that registration ships is complete."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from compiled import ROOT
from flytekit.constants import CopyFileDetection
from flytekit.tools.fast_registration import FastPackageOptions, fast_package

IMPORT_ALL = """
import importlib, json, pathlib
here = pathlib.Path.cwd()
modules = [f"{top}.{path.stem}" for top in ("tasks", "workflows") for path in sorted((here / top).glob("*.py"))]
for name in modules:
    module = importlib.import_module(name.removesuffix(".__init__"))
    assert pathlib.Path(module.__file__).is_relative_to(here), module.__file__
import assay
from assay.rubric import builtin_rubrics, load_rubric
from assay.report import Report, render_html
from tasks.support.requests import read_request
from tasks.support.settings import source_location
from assay.pipeline import TrainingRequest
assert pathlib.Path(assay.__file__).is_relative_to(here)
render_html(Report("the template is there"))
print(json.dumps({"modules": len(modules), "rubrics": [load_rubric(name).name for name in builtin_rubrics()],
                  "slices": read_request(TrainingRequest, "configs/education.yaml").slice_by,
                  "sample": pathlib.Path(source_location("data/sample/documents.jsonl")).is_file()}))
"""


# A build in pods, in test_pods.py, runs from the same archive.
@pytest.mark.full
def test_the_archive_that_is_shipped_imports_from_an_empty_folder(tmp_path: Path) -> None:
    archive = fast_package(ROOT, str(tmp_path), False, FastPackageOptions([], copy_style=CopyFileDetection.ALL))
    pod = tmp_path / "pod"
    pod.mkdir()
    with tarfile.open(archive) as code:
        # Python 3.11.2, which Debian has, knows no filters yet.
        code.extractall(pod, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    assert not (pod / ".venv").exists()
    assert not (pod / "work").exists()

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=pod,
        env={**environment, "PYTHONPATH": str(pod)},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["rubrics"] == ["education"]
    assert found["sample"]
    assert found["slices"] == ["genre"]
    assert found["modules"] > 15
