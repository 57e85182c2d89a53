"""Trackers: what was written can be read back, and no tracker breaks or blocks the work."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import assay.tracking as tracking
from assay.errors import InputError
from assay.tracking import open_tracker

ROOT = Path(__file__).resolve().parents[2]


def client(work: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{work}/mlflow.db")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for several tests: making its database takes seconds."""
    return tmp_path_factory.mktemp("tracked") / "work"


def test_mlflow_keeps_parameters_curves_lineage_and_files(work: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>good</p>")
    with open_tracker("mlflow", run_name="first", work=work) as tracker:
        tracker.params({"training": {"epochs": 3, "long": "x" * 2000}})
        for step in range(3):
            tracker.metrics({"loss": 1 / (step + 1), "broken": float("nan")}, step)
    with open_tracker("mlflow", run_name="ignored", work=work, run_id=tracker.run_id) as again:
        again.metrics({"f1": 0.7})
        again.tags({"snapshot": "abc"})
        again.artifact(report, "report")

    run = client(work).get_run(tracker.run_id)
    assert again.run_id == tracker.run_id
    assert (run.data.params["training.epochs"], len(run.data.params["training.long"])) == ("3", 500)
    assert run.data.metrics["f1"] == 0.7
    assert "broken" not in run.data.metrics
    history = client(work).get_metric_history(tracker.run_id, "loss")
    assert [(point.step, round(point.value, 2)) for point in history] == [(0, 1.0), (1, 0.5), (2, 0.33)]
    assert run.data.tags["snapshot"] == "abc"
    assert run.info.status == "FINISHED"
    assert [file.path for file in client(work).list_artifacts(tracker.run_id, "report")] == ["report/report.html"]
    assert (work / "mlartifacts").is_dir()


def test_a_run_that_raises_is_marked_as_failed_and_the_error_is_raised(work: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_tracker("mlflow", run_name="bad", work=work) as tracker:
        1 / 0  # noqa: B018
    assert client(work).get_run(tracker.run_id).info.status == "FAILED"


def test_a_run_that_is_missing_is_replaced_by_a_new_one(work: Path) -> None:
    with open_tracker("mlflow", run_name="new", work=work, run_id="0" * 32) as tracker:
        tracker.metrics({"f1": 0.5})
    assert client(work).get_run(tracker.run_id).data.metrics == {"f1": 0.5}


def test_only_rank_0_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with open_tracker("mlflow", run_name="second", work=tmp_path) as tracker:
        tracker.metrics({"loss": 1.0})
    assert tracker.run_id == ""
    assert list(tmp_path.iterdir()) == []


def test_none_tracks_nothing_and_anything_else_is_refused(tmp_path: Path) -> None:
    with open_tracker("none", run_name="x", work=tmp_path) as tracker:
        tracker.params({"a": 1})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="Choose mlflow"):
        open_tracker("paper", run_name="x", work=tmp_path)


def test_neptune_keeps_runs_offline_below_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEPTUNE_API_TOKEN", raising=False)
    here = Path.cwd()
    started = time.monotonic()
    with open_tracker("neptune", run_name="offline", work=tmp_path) as tracker:
        tracker.params({"epochs": 3})
        tracker.metrics({"loss": 0.5}, 1)
        tracker.tags({"snapshot": "abc"})

    assert time.monotonic() - started < 45
    assert Path.cwd() == here
    stored = b"".join(path.read_bytes() for path in (tmp_path / ".neptune").rglob("*.log"))
    assert b"epochs" in stored
    assert b"abc" in stored


def records(work: Path) -> list[list]:
    """The records of W&B's offline runs below a work folder, the oldest run first."""
    from wandb.proto.wandb_internal_pb2 import Record

    files = sorted(work.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    return [[Record.FromString(data) for data in stored(file.read_bytes())] for file in files]


def stored(data: bytes) -> Iterator[bytes]:
    """The records of a file in LevelDB's log format, after a header of seven bytes.

    Blocks of 32 KiB hold pieces: checksum (4 bytes), length (2), kind (1: whole, 2: first, 3: middle, 4: last).
    """
    at, record = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # too little for a piece: the block ends with zeros
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def entries(kept: list, kind: str, field: str) -> list[dict]:
    """The values that records of one kind have in a field, by name."""
    of_kind = [getattr(record, kind) for record in kept if record.WhichOneof("record_type") == kind]
    return [
        {entry.key or ".".join(entry.nested_key): json.loads(entry.value_json) for entry in getattr(each, field)}
        for each in of_kind
    ]


def test_wandb_keeps_runs_offline_below_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    report = tmp_path / "report.html"
    report.write_text("<p>good</p>")
    with open_tracker("wandb", run_name="first", work=tmp_path / "work") as tracker:
        tracker.params({"training": {"epochs": 3, "long": "x" * 2000}})
        for step in (0, 1, 2, 1):  # a resumed training repeats an update
            tracker.metrics({"loss": 1 / (step + 1), "broken": float("nan")}, step)
    with open_tracker("wandb", run_name="again", work=tmp_path / "work", run_id=tracker.run_id) as again:
        again.metrics({"f1": 0.7})
        again.tags({"snapshot": "abc"})
        again.artifact(report, "report")
    report.unlink()

    assert again.run_id == tracker.run_id != ""
    first, second = records(tmp_path / "work")
    (run,) = [record.run for record in first if record.WhichOneof("record_type") == "run"]
    assert (run.project, run.display_name, run.run_id) == ("assay", "first", tracker.run_id)
    config = {name: value for each in entries(first, "config", "update") for name, value in each.items()}
    assert (config["training.epochs"], len(config["training.long"])) == ("3", 500)
    history = entries(first, "history", "item")
    assert [(point["step"], round(point["loss"], 2)) for point in history] == [(0, 1.0), (1, 0.5), (2, 0.33), (1, 0.5)]
    assert not any("broken" in point for point in history)
    assert {"f1": 0.7}.items() <= {
        k: v for each in entries(second, "summary", "update") for k, v in each.items()
    }.items()
    assert {"snapshot": "abc"} in [each.get("lineage") for each in entries(second, "config", "update")]
    (kept,) = (tmp_path / "work").glob("wandb/offline-run-*/files/report/report.html")
    assert not kept.is_symlink()
    assert kept.read_text() == "<p>good</p>"


def test_wandb_sends_nothing_unless_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All traffic of Python and Go goes through a proxy, which is a port that counts who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("WANDB_MODE", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        through = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), proxy)
        run, _ = run_program("wandb", tmp_path, **through, WANDB_API_KEY="0" * 40)

        assert run.returncode == 0, run.stderr
        assert "work continues" in run.stdout
        assert run.stderr == ""
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_tracker_whose_package_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"the package wandb is not installed \(tracking wandb\)\. Install it"):
        open_tracker("wandb", run_name="x", work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


PROGRAM = """
import sys, time
from pathlib import Path
import assay.tracking as tracking
tracking.PATIENCE = 4.0
started = time.monotonic()
with tracking.open_tracker(sys.argv[1], run_name="x", work=Path(sys.argv[2])) as tracker:
    tracker.metrics({"loss": 1.0}, 0)
    tracker.params({"a": 1})
print("work continues after", round(time.monotonic() - started, 1), "run", repr(tracker.run_id))
"""


def run_program(setting: str, work: Path, **environment: str) -> tuple[subprocess.CompletedProcess[str], float]:
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, setting, str(work)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return run, time.monotonic() - started


def test_a_server_that_never_answers_neither_blocks_nor_breaks_the_work(silent_server: int, tmp_path: Path) -> None:
    run, seconds = run_program(f"mlflow:http://127.0.0.1:{silent_server}", tmp_path)

    assert run.returncode == 0
    assert "work continues" in run.stdout
    assert "nothing is tracked" in run.stderr
    assert "Traceback" not in run.stderr
    assert seconds < 40


def test_a_server_that_is_missing_is_reported_once(tmp_path: Path) -> None:
    run, seconds = run_program("mlflow:http://127.0.0.1:9", tmp_path)

    assert run.returncode == 0
    assert run.stderr.count("nothing is tracked") == 1
    assert seconds < 40


@pytest.mark.full
@pytest.mark.parametrize("place", ["silent", "missing"])
def test_wandb_online_without_an_answer_lets_the_process_end(place: str, silent_server: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{silent_server if place == 'silent' else 9}"
    run, seconds = run_program("wandb", tmp_path, WANDB_MODE="online", WANDB_API_KEY="0" * 40, WANDB_BASE_URL=url)

    assert run.returncode == 0
    assert "work continues" in run.stdout
    assert run.stderr.count("nothing is tracked") == 1
    assert "Traceback" not in run.stderr
    assert seconds < 60


@pytest.mark.full
def test_neptune_with_a_token_and_no_server_lets_the_process_end(tmp_path: Path) -> None:
    import base64
    import json

    token = base64.b64encode(
        json.dumps({"api_address": "http://127.0.0.1:9", "api_url": "http://127.0.0.1:9"}).encode()
    )

    run, seconds = run_program("neptune:a/b", tmp_path, NEPTUNE_API_TOKEN=token.decode())

    assert run.returncode == 0
    assert "work continues" in run.stdout
    assert seconds < 60


def test_a_tracker_that_fails_during_the_run_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE", 0.5)

    class Stuck(tracking._Guarded):
        kind = "stuck"

        def metrics(self, values, step=None) -> None:
            self._try(lambda: time.sleep(30))

    tracker, started = Stuck(), time.monotonic()
    for step in range(20):
        tracker.metrics({"loss": 1.0}, step)

    assert time.monotonic() - started < 5
    assert capsys.readouterr().err.count("tracking ends here") == 1
