"""Questions as batch files: what comes back is in the same store, and nothing is asked twice."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from judge_server import by_length, completion, judged, serving

from assay.annotation import batch
from assay.cli.main import main


@pytest.fixture
def data(tmp_path: Path, sample: list[dict]) -> Path:
    place = tmp_path / "documents.parquet"
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample[:10]]).to_parquet(place)
    return place


def command(data: Path, judge: str = "stand-in price=1/2", *more: str) -> list[str]:
    place = str(data.parent / "answers")
    shown = ["--encoder", "words", "--window-tokens", "1000"]
    return ["annotate", "--data", str(data), "--judge", judge, "--answers", place, *shown, *more]


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def answered(request: dict[str, Any], body: Any = None, status: int = 200, error: Any = None) -> dict[str, Any]:
    text = json.dumps({"reason": "r", "score": by_length(request["body"])})
    response = {"status_code": status, "request_id": "r", "body": completion(text) if body is None else body}
    return {"id": "b", "custom_id": request["custom_id"], "response": None if error else response, "error": error}


def test_answers_of_a_batch_become_labels_and_what_failed_is_asked_again(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, "stand-in price=1/2", "--batch-out", str(tmp_path / "out"))) == 0
    requests = read(tmp_path / "out")
    assert len({request["custom_id"] for request in requests}) == len(requests) == 10
    assert all(len(request["custom_id"]) <= 64 for request in requests)
    assert {(request["method"], request["url"]) for request in requests} == {("POST", "/v1/chat/completions")}
    assert requests[0]["body"]["model"] == "stand-in"

    lines = [answered(request) for request in requests[:7]]
    lines.append(answered(requests[7], error={"code": "batch_expired", "message": "too late"}))
    lines.append(answered(requests[8], {"error": {"message": "oops"}}, status=500))
    lines.append(answered(requests[9], completion("no idea")))
    lines += [answered(requests[0], completion('{"reason": "again", "score": 0}')), {"custom_id": "of-another-run"}]
    (tmp_path / "back.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    take = ["--batch-in", str(tmp_path / "back.jsonl"), "--output", str(tmp_path / "labels")]
    assert main(command(data, "stand-in price=1/2", *take)) == 0

    out = capsys.readouterr().out
    assert "8 new answers" in out
    for reason in ("batch_expired", "status 500", "answered before", "of another request"):
        assert f"1 lines without a new answer: {reason}" in out
    labels = pd.read_parquet(tmp_path / "labels" / "part-00000.parquet")
    assert labels["label"].tolist() == [len(text) % 6 for text in pd.read_parquet(data)["text"][:7]]
    left = pd.read_parquet(tmp_path / "labels" / "_unanswered.parquet")["reason"].tolist()
    assert left == ["not asked", "not asked", "no JSON object"]

    assert main(command(data, "stand-in price=1/2", "--batch-out", str(tmp_path / "rest"))) == 0
    assert {request["custom_id"] for request in read(tmp_path / "rest")} == {
        request["custom_id"] for request in requests[7:9]
    }
    with serving(lambda body, _: judged(by_length(body))) as server:
        live = f"stand-in@{server.url} price=1/2"
        assert main(command(data, live, "--output", str(tmp_path / "whole"))) == 0
        assert len(server.bodies) == 2, "the store is that of the calls"


def test_the_budget_ends_the_writing(data: Path, tmp_path: Path) -> None:
    assert main(command(data, "stand-in price=1/2", "--budget", "0.02", "--batch-out", str(tmp_path / "out"))) == 0
    requests = read(tmp_path / "out")
    bounds = [len(json.dumps(each["body"]["messages"], ensure_ascii=False).encode()) + 2 * 512 for each in requests]
    assert 0 < len(requests) < 10
    assert sum(bounds) <= 0.02 * 1e6
    assert main(command(data, "stand-in price=1/2", "--budget", "0.0001", "--batch-out", str(tmp_path / "no"))) == 2
    assert not (tmp_path / "no").exists()


def test_files_have_no_more_requests_and_bytes_than_are_taken(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_REQUESTS", 4)
    assert main(command(data, "org/model", "--batch-out", str(tmp_path / "out"))) == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [len(file.read_text().splitlines()) for file in files] == [4, 4, 2]
    assert files[0].name == "org_model-00000.jsonl"
    size = max(len(line) for file in files for line in file.read_bytes().splitlines(keepends=True))
    monkeypatch.setattr(batch, "MOST_BYTES", 2 * size)
    assert main(command(data, "org/model", "--batch-out", str(tmp_path / "small"))) == 0
    assert max(file.stat().st_size for file in (tmp_path / "small").iterdir()) <= 2 * size
    assert read(tmp_path / "small") == read(tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [('{"custom_id": "x"\n', "line 1). Get the file again"), ("[1]\n", "no JSON object"), ("{}\n", "no custom_id")],
)
def test_a_file_that_holds_no_answers_is_refused(
    data: Path, tmp_path: Path, content: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "back.jsonl").write_text(content)
    take = ["--batch-in", str(tmp_path / "back.jsonl"), "--output", str(tmp_path / "labels")]
    assert main(command(data, "stand-in", *take)) == 2
    assert complaint in capsys.readouterr().err
