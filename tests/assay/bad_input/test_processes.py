"""Real processes, with all that a library may print, or a process may leave, on its way out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bad_input.table import CANNOT_LOAD, GET_AGAIN, NOTHING_READABLE, WHOLE, Good, check_said, without_footer, write

ROOT = Path(__file__).resolve().parents[3]
ASSAY = Path(sys.executable).with_name("assay")


@pytest.mark.parametrize(
    "case", ["build", "usage", *(pytest.param(command, marks=pytest.mark.full) for command in ("train", "score"))]
)
def test_real_processes_say_the_same_and_nothing_comes_after_it(case: str, good: Good, tmp_path: Path) -> None:
    """With all that a library may print, or a process may leave, on its way out."""
    out, source = tmp_path / "out", tmp_path / "d.parquet"
    broken = shutil.copytree(good.model, tmp_path / "model")
    write(broken / "model.safetensors", b"\xff" * 3000)
    source.write_bytes(without_footer(good))
    command, says = {
        "train": (good.command("train", out, source), ("this parquet file cannot be read", f"({source})", GET_AGAIN)),
        "score": (good.command("score", out, model=broken), (f"{CANNOT_LOAD}: ", f"({broken})", WHOLE)),
        "build": (good.command("build", out, source)[:-1], (*NOTHING_READABLE["build"], f"({source})")),
        "usage": (good.command("select", out)[:-2], ("the following arguments are required: --output",)),
    }[case]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}

    run = subprocess.run([ASSAY, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    check_said(run.stderr, command, says)
    assert run.returncode == 2
    assert run.stdout == ""
    assert not out.exists()
