"""A server is ready when its golden documents passed, and its process ends with the block that started it."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from assay.errors import InputError
from assay.serving import Bento, ServedReport, ServerProcess, ServeSettings, check_served
from assay.serving.process import curl_line, warn_open

ROOT = Path(__file__).resolve().parents[3]


def servers() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


@pytest.mark.full
def test_the_served_scores_are_checked_against_those_of_the_evaluation(bento: Bento, tmp_path: Path) -> None:
    before = servers()

    report = check_served(bento.path, log=tmp_path / "served.log")

    assert report.passed
    assert (report.tag, report.documents) == (bento.tag, 12)
    assert report.worst <= 1e-4 < report.tolerance
    assert report.to_json()["passed"] is True
    assert servers() == before
    report.require()
    with pytest.raises(InputError, match=r"off by 0\.2 labels"):
        ServedReport("a:b", 12, worst=0.2, tolerance=0.1, seconds_to_ready=1.0).require()
    assert not ServedReport("a:b", 12, worst=float("nan"), tolerance=0.1, seconds_to_ready=1.0).passed


@pytest.mark.full
def test_a_model_that_fails_its_golden_documents_is_never_ready(bento: Bento, tmp_path: Path) -> None:
    changed = shutil.copytree(bento.path, tmp_path / "changed")
    golden = Bento.open(changed).model / "golden.jsonl"
    rows = [json.loads(line) for line in golden.read_text().splitlines()]
    rows[3]["score"] += 0.25
    golden.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before, home = servers(), {"HOME": str(tmp_path)}

    with pytest.raises(ZeroDivisionError), ServerProcess(changed, wait_for="/livez", environment=home) as server:
        with pytest.raises(InputError, match=r"does not serve its model .*golden documents score differently.*0\.25"):
            server.wait_until("/readyz")
        assert server.ask("/readyz") == (503, {"state": "failed", "version": bento.version})
        status, answer = server.ask("/score", {"documents": [{"id": "a", "text": "words"}]})
        assert (status, answer["error"]) == (503, "the model is not ready but failed")
        assert server.ask("/explain", {"text": "words"})[0] == 503
        assert server.ask("/livez")[0] == 200
        assert "assay_ready 0.0" in server.ask("/metrics")[1]
        assert len(servers()) >= len(before) + 2
        raise ZeroDivisionError

    assert servers() == before, "no process is left, also after an error in the block"
    assert not (tmp_path / "bentoml").exists()


def test_a_server_that_cannot_start_reports_the_reason(bento: Bento, tmp_path: Path) -> None:
    before = servers()

    with (
        pytest.raises(InputError, match=r"ended with status 1 .*there is no setting ASSAY_SERVE_TOKEN\b"),
        ServerProcess(bento.path, environment={"ASSAY_SERVE_TOKEN": "misspelt-so-it-would-be-open"}),
    ):
        pass
    with pytest.raises(InputError, match="not ready after 0 s"), ServerProcess(bento.path, within=0.0):
        pass
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError, match="is taken"):
        ServerProcess(bento.path, port=other.getsockname()[1]).__enter__()
    with pytest.raises(InputError, match="no Bento"):
        ServerProcess(tmp_path)

    assert servers() == before


@pytest.mark.full
def test_a_server_ends_with_the_process_that_was_killed(bento: Bento) -> None:
    code = """
import sys, time
from pathlib import Path
from assay.serving import ServerProcess

with ServerProcess(Path(sys.argv[1]), wait_for="/livez") as server:
    print(server.url, flush=True)
    time.sleep(600)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(bento.path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("http://127.0.0.1:")
        family = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()

    _, alive = psutil.wait_procs(family, timeout=60)
    assert len(family) == 2
    assert alive == []


def test_the_curl_command_reads_its_token_from_the_settings(tmp_path: Path) -> None:
    plain = curl_line("http://127.0.0.1:3000", ServeSettings())
    from_settings = curl_line("http://127.0.0.1:3000", ServeSettings(tokens=("a-token-of-the-settings",)))
    from_file = curl_line("http://127.0.0.1:3000", ServeSettings(tokens_file=tmp_path / "tokens"))

    assert "Authorization" not in plain
    assert "$ASSAY_SERVE_TOKENS" in from_settings and "a-token" not in from_settings
    assert str(tmp_path / "tokens") in from_file


def test_a_service_that_others_reach_without_a_token_is_warned_of(capfd: pytest.CaptureFixture[str]) -> None:
    warn_open("127.0.0.1", ServeSettings())
    warn_open("0.0.0.0", ServeSettings(tokens=("a-token-of-the-settings",)))
    assert "WARNING" not in "".join(capfd.readouterr())
    warn_open("0.0.0.0", ServeSettings())
    assert "WARNING: 0.0.0.0 is open to other machines, and no token is needed" in "".join(capfd.readouterr())
