"""`assay watch` as users call it: with a trained model, and a real log or real scores."""

import datetime
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assay.cli.main import main
from assay.inference import Scorer, assess
from assay.model import Profile
from assay.scorelog.files import write_rows
from assay.storage import digest_folder

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
GERMAN = "Zwei Brüche werden addiert, indem man sie auf denselben Nenner bringt und dann die Zähler addiert. "


@pytest.fixture(scope="module")
def answers(tiny_model: Path, sample: list[dict]) -> pd.DataFrame:
    """Answers to documents that are of the calibration set's kind, but not in it."""
    return assess(Scorer.load(tiny_model), [row["text"] for row in sample[240:]]).table()


@pytest.fixture
def log(tiny_model: Path, answers: pd.DataFrame, tmp_path: Path) -> str:
    """The log of half a day: first documents of that kind, then documents in German alone."""
    version, place = digest_folder(tiny_model)[:12], str(tmp_path / "log")
    # Lengths in no order: 40 that rise one after the other would be a run.
    foreign = assess(Scorer.load(tiny_model), [GERMAN * (1 + n * n % 41) for n in range(210)]).table()
    for hour, table in ((0, answers), (6, foreign)):
        fields = json.loads(table.to_json(orient="records"))
        time = NOON + datetime.timedelta(hours=hour)
        write_rows(place, [{**row, "time": time, "version": version} for row in fields])
    return place


@pytest.fixture
def command(tiny_model: Path, log: str, tmp_path: Path) -> Callable[..., int]:
    def run(*more: str) -> int:
        given = [] if "--scores" in more else ["--log", log]
        output = str(tmp_path / "watch.json")
        # The tiny model's calibration set is small, and so are the windows.
        return main(
            ["watch", "--model", str(tiny_model), *given, "--output", output, "--least-documents", "100", *more]
        )

    return run


def since(hours: int) -> list[str]:
    start = NOON + datetime.timedelta(hours=hours)
    return ["--since", start.isoformat(), "--until", f"{start + datetime.timedelta(hours=6):%Y-%m-%dT%H:%M}"]


def test_the_reference_is_the_calibration_part(tiny_model: Path) -> None:
    reference = Profile.read(tiny_model)
    info = json.loads((tiny_model / "assay.json").read_text())

    assert reference.documents == info["calibration"]["documents"]
    assert reference.languages["en"] > 0.9 * reference.documents
    assert 0 < reference.kept < reference.documents
    assert reference.truncated > 0


def test_a_calm_window_and_a_changed_one(
    command: Callable[..., int],
    tiny_model: Path,
    sample: list[dict],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus, scores = tmp_path / "corpus.parquet", tmp_path / "scores"
    pd.DataFrame(sample[:240]).drop(columns="label").to_parquet(corpus, index=False)
    assert main(["score", str(corpus), "--model", str(tiny_model), "--output", str(scores)]) == 0
    looks = ["--looks", str(tmp_path / "looks"), "--reference", str(scores)]

    assert command(*since(0), *looks) == 0
    result = json.loads((tmp_path / "watch.json").read_text())
    assert (result["alarm"], result["act"], result["looks"]) == (False, False, 1)
    assert (result["documents"], result["reference_documents"]) == (210, 240)

    sent: list[Any] = []
    with hook(sent) as url:
        (tmp_path / "webhook").write_text(f"{url}\n")
        assert command(*since(6), *looks, "--webhook", str(tmp_path / "webhook")) == 1
        result = json.loads((tmp_path / "watch.json").read_text())
        assert (result["act"], result["looks"]) == (True, 2)
        assert "language" in result["alarms"]
        assert "Something has changed" in capsys.readouterr().out
        assert "Earlier drift looks" in (tmp_path / "watch.html").read_text()

        monkeypatch.setenv("ASSAY_WEBHOOK", url)
        assert command(*since(6), *looks) == 1
        assert json.loads((tmp_path / "watch.json").read_text())["act"] is False
    assert [each["alarms"] for each in sent] == [result["alarms"]], "sent once while it cools down"

    assert command("--scores", str(scores), "--reference", str(scores)) == 0


class hook:  # noqa: N801
    """A webhook that accepts everything."""

    def __init__(self, sent: list[Any]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([*since(48)], "the window has 0 scored documents, and needs 100. Take a longer window"),
        (["--since", "yesterday"], "'yesterday' is not a time. Give one as 2026-01-31T12:00"),
        (["--since", "2026-02-02", "--until", "2026-02-01"], "the window ends at 2026-02-01 00:00"),
        ([*since(0), "--least-documents", "0"], "least_documents is 0"),
        ([*since(0), "--every-hours", "nan"], "every_hours is nan"),
        ([*since(0), "--webhook", "nowhere"], "the webhook cannot be read"),
        ([*since(0), "--webhook", "http://a/secret"], "--webhook names a file, and this is a URL"),
        ([*since(0), "--log", "nowhere"], "there is no score log (nowhere). Start the service with ASSAY_SERVE_LOG"),
        (["--scores", "nowhere"], "no complete scores by the model"),
        (["--scores", "nowhere", *since(0)], "scores of a corpus have no times"),
    ],
    ids=str,
)
def test_a_window_that_cannot_be_used_is_refused(
    options: list[str], message: str, command: Callable[..., int], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    assert command(*options) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("assay watch: ") and message in last
    assert not (tmp_path / "watch.json").exists()


def test_a_model_without_a_reference_says_what_to_do(
    tiny_model: Path, log: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    import shutil

    old = shutil.copytree(tiny_model, tmp_path / "old")
    (old / "reference.json").unlink()

    assert main(["watch", "--model", str(old), "--log", log, "--output", str(tmp_path / "w.json")]) == 2
    assert "no reference is kept with this model: reference.json is missing" in capsys.readouterr().err
