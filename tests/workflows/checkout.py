"""A copy of the project in which workflows run as users run them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYFLYTE = str(Path(sys.executable).with_name("pyflyte"))
STAGES = ["Acquire", "Validate", "Split", "Baselines", "Train", "Calibrate", "Evaluate", "Register", "Track"]


class Checkout:
    """A copy of the project with a work folder and a home of its own, so that it shares no cache with other runs."""

    def __init__(self, folder: Path, encoder: Path) -> None:
        self.root, self.work, self.encoder = folder / "checkout", folder / "work", encoder
        self.root.mkdir(parents=True)
        for name in ("assay", "tasks", "workflows", "configs", "data"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("requirements.lock", "flyte.config.yaml"):
            shutil.copy(ROOT / name, self.root)
        self.home = folder / "home"
        self.home.mkdir()
        self.source = self.root / "data" / "sample" / "documents.jsonl"

    def options(self, **more: object) -> str:
        """Return the options of a training with the tiny encoder, as JSON."""
        return json.dumps({"encoder": str(self.encoder), "window_tokens": 64, **more})

    def start(self, *inputs: str, **options: object) -> subprocess.Popen[str]:
        """Start the training workflow on the copy's own sample."""
        given = ["--source", str(self.source), "--rubric", "education", "--options", self.options(**options)]
        return self.launch("training.py", "train_quality_classifier", *given, *inputs)

    def launch(
        self, file: str, workflow: str, *options: str, prefix: str = "", **variables: str
    ) -> subprocess.Popen[str]:
        """Start `pyflyte run`. `prefix`: place of raw outputs; empty: below the work folder."""
        raw = self.work / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "HOME": str(self.home),
            # The list of fonts, which takes two seconds to make, is no cache of ours.
            "MPLCONFIGDIR": str(Path.home() / ".cache" / "matplotlib"),
            "TMPDIR": str(raw),
            "ASSAY_WORK": str(self.work),
            "ASSAY_CACHE_SALT": str(self.work),
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "140",
            **variables,
        }
        command = [PYFLYTE, "-c", "flyte.config.yaml", "run", "--raw-output-data-prefix", prefix or str(raw)]
        return subprocess.Popen(
            [*command, f"workflows/{file}", workflow, *options],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *inputs: str, **options: object) -> tuple[dict[str, bool], str, str]:
        """Return stage -> True if it came from the cache, standard output and standard error of a training."""
        return finish(self.start(*inputs, **options), STAGES)


def finish(process: subprocess.Popen[str], stages: list[str]) -> tuple[dict[str, bool], str, str]:
    """Wait for a run that must succeed. Return stage -> True if it came from the cache, stdout and stderr."""
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, out[-3000:] + err[-3000:]
    cached = {}
    for stage in stages:
        line = re.search(rf"^ *{stage} +│.*$", out, re.MULTILINE)
        assert line, out
        cached[stage] = "from cache" in line.group()
    return cached, out, err
