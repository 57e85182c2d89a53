"""The units for systemd: their commands exist, and they start again whatever ends."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from assay.cli.main import main

UNITS = sorted((Path(__file__).resolve().parents[2] / "infra/systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_that_exists_and_starts_it_again(
    unit: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    service = parser["Service"]
    assert service["Restart"] == "always" and int(service["RestartSec"]) > 0
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "assay"
    with pytest.raises(SystemExit):
        main([*arguments, "--no-such-option"])
    assert capsys.readouterr().err.rstrip().endswith("error: unrecognized arguments: --no-such-option")

    if analyze := shutil.which("systemd-analyze"):
        # Its program and its user are not on this machine.
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace(program, "/bin/true").replace("User=assay", "User=root"))
        run = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, timeout=60)
        assert unit.name not in run.stderr, run.stderr
