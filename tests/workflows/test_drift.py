"""The watch as a workflow: a quiet hour is no failure, and drift leads from an alarm to a new champion."""

import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_versions import Versions

from assay.monitoring import DriftLookLog
from assay.scorelog.files import write_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.full
def test_a_window_with_few_requests_is_no_drift_look_and_starts_nothing(
    versions: Versions, tiny_model: Path, tmp_path: Path
) -> None:
    from assay.registry import CHAMPION, Registry
    from workflows.watch import watch_service

    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(tiny_model, {}).name
    registry.move_alias(CHAMPION, version, who="test", why="begin", evidence={}, after=None)
    now = datetime.datetime.now(datetime.UTC)
    answer = {"score": 1.0, "calibrated": 1.0, "p_keep": 0.1, "grade": 1, "keep": False, "tokens": 40, "read": 1.0}
    row = {**answer, "time": now, "version": version, "language": "en", "in_scope": True, "reason": None}
    write_rows(str(tmp_path / "log"), [row] * 30)

    decision = watch_service(
        kickoff=now + datetime.timedelta(minutes=1),
        source="not read",
        test_set="not read either",
        log=str(tmp_path / "log"),
        looks=str(tmp_path / "looks"),
        registry=registry.url,
    )

    assert decision.outcome == "kept"
    assert "No drift look: the window has 30 scored documents, and needs 200" in decision.sentence
    assert DriftLookLog(str(tmp_path / "looks")).history() == []
    assert not (tmp_path / "registry" / "decisions").exists()


@pytest.mark.full
@pytest.mark.encoder
@pytest.mark.timeout(1500)
def test_changed_documents_raise_an_alarm_and_lead_to_a_better_model(tmp_path: Path, port: int) -> None:
    command = [sys.executable, "-m", "benchmarks.simulate_drift", "--work", str(tmp_path), "--port", str(port)]

    run = subprocess.run([*command, "--short"], cwd=ROOT, capture_output=True, text=True, timeout=1400, check=False)

    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    printed = run.stdout
    assert printed.index("Calm:") < printed.index("of the new world were asked about") < printed.index("promoted:")
    assert len(list((tmp_path / "looks").glob("*.json"))) == 2
    assert (tmp_path / "registry" / "decisions" / "00000002.html").is_file()
    assert "It is better" in (tmp_path / "registry" / "decisions" / "00000002.html").read_text()
