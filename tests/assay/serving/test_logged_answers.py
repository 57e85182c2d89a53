"""A real server with a score log: it has the answers without texts, and a log that fails costs no request."""

import datetime
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.scorelog import read_log
from assay.serving import Bento, ServerProcess, ServeSettings

MARKER = "Xyzzy4711"


def documents(count: int) -> dict:
    text = "Plants turn light, water and carbon dioxide into sugar. "
    return {"documents": [{"id": f"{MARKER}-{n}", "text": f"{MARKER} {n} {text * (1 + n % 30)}"} for n in range(count)]}


def value(server: ServerProcess, sample: str) -> float:
    _, text = server.ask("/metrics")
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{sample} "))


@pytest.mark.full
def test_answers_are_in_the_log_without_their_texts(bento: Bento, tmp_path: Path) -> None:
    place = tmp_path / "log"
    settings = {"ASSAY_SERVE_LOG": str(place), "ASSAY_SERVE_LOG_ROWS": "60"}
    started = datetime.datetime.now(datetime.UTC)
    with ServerProcess(bento.path, environment=settings) as server:
        answers = [server.ask("/score", documents(count))[1] for count in (1, 64, 10)]
        empty = server.ask("/score", {"documents": [{"id": "e", "text": " "}]})[1]
        server.ask("/explain", {"text": "Texts that a person tries are not logged."})
        assert "answers are logged" in server.log

    found = pd.concat(read_log(str(place), started, datetime.datetime.now(datetime.UTC), version=bento.version))
    expected = [answer for several in [*answers, empty] for answer in several]
    assert len(found) == len(expected) == 76
    assert found["score"].tolist()[:75] == [answer["score"] for answer in expected[:75]]
    assert found["reason"].tolist()[75] == "no text"
    for name in ("calibrated", "p_keep", "grade", "keep", "tokens", "read", "in_scope"):
        assert found[name].tolist()[:75] == [answer[name] for answer in expected[:75]], name
    assert (found["read"] < 1).any()
    files = [file for file in place.rglob("*") if file.is_file()]
    assert len(files) == 2, "one when it was full, one at the end"
    assert not any(MARKER.encode() in file.read_bytes() for file in files)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["full", "in the way"])
def test_a_log_that_cannot_be_written_costs_no_request(
    kind: str, bento: Bento, tmp_path: Path, small_file_system: Callable[[int], Path]
) -> None:
    if kind == "full":
        disk = small_file_system(64)
        with pytest.raises(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        place = disk / "log"
    else:
        (tmp_path / "file").write_text("in the way")
        place = tmp_path / "file" / "log"
    settings = {"ASSAY_SERVE_LOG": str(place), "ASSAY_SERVE_LOG_ROWS": "5"}
    with ServerProcess(bento.path, environment=settings) as server:
        for _ in range(20):
            assert server.ask("/score", documents(5))[0] == 200
        lost, deadline = 0.0, time.monotonic() + 30  # the thread writes them some time later
        while lost < 90 and time.monotonic() < deadline:
            names = [f'assay_log_rows_total{{outcome="{outcome}"}}' for outcome in ("failed", "dropped")]
            lost = sum(value(server, name) for name in names)
            time.sleep(0.1)
        log = server.log
        server.stop()

    assert lost >= 90, "all but those that still wait"
    assert log.count("the score log cannot be written") == 1
    assert MARKER not in log


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("LOG", "work/log", "ASSAY_SERVE_LOG is 'work/log'. Give an absolute path, or a URL"),
        ("LOG_SHARE", "1.5", "ASSAY_SERVE_LOG_SHARE is 1.5. Give a number above 0, and at most 1"),
        ("LOG_ROWS", "0", "ASSAY_SERVE_LOG_ROWS is 0"),
        ("LOG_SECONDS", "nan", "ASSAY_SERVE_LOG_SECONDS is nan"),
    ],
)
def test_settings_of_the_log_that_cannot_be_used_are_refused(name: str, given: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint.replace(".", r"\.")):
        ServeSettings.read({f"ASSAY_SERVE_{name}": given})
