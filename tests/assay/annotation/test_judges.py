"""Judges behind a real HTTP server that misbehaves: no label is lost, none is invented, and none is paid twice."""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from judge_server import JudgeServer, Reply, by_length, completion, document_of, judged, serving

from assay.annotation import AnnotationRequest, annotate
from assay.annotation.ask import Asked
from assay.annotation.judge import Judge, read_judges
from assay.annotation.pace import Pace
from assay.errors import InputError
from assay.model import Windows
from assay.storage import Snapshot

PRICE = "price=1/2"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def data(tmp_path: Path, sample: list[dict]) -> str:
    rows = [{"id": row["id"], "text": row["text"], "genre": row["genre"], "label": 9} for row in sample[:24]]
    pd.DataFrame(rows).to_parquet(tmp_path / "documents.parquet")
    return str(tmp_path / "documents.parquet")


def request(data: str, server: JudgeServer, settings: str = "", **given: Any) -> AnnotationRequest:
    judges = read_judges([f"stand-in@{server.url} {settings}"])
    pace = given.pop("pace", Pace(concurrency=4, timeout=2.0, tries=3))
    return AnnotationRequest(data, judges=judges, encoder="words", windows=Windows(1_000, 1), pace=pace, **given)


def run(made: AnnotationRequest, place: Path, name: str = "labels") -> tuple[pd.DataFrame, pd.DataFrame, Asked]:
    """Return labels, answers and what became of the questions."""
    snapshot, asked = annotate(made, str(place / name), str(place / "answers"))
    folder = Path(snapshot.url)
    return pd.read_parquet(folder / "part-00000.parquet"), pd.read_parquet(folder / "_answers.parquet"), asked


def test_labels_have_all_that_is_known_of_them(data: str, tmp_path: Path) -> None:
    with serving(lambda body, _: judged(by_length(body), "so long")) as server:
        labels, answers, asked = run(request(data, server, PRICE), tmp_path)
        body = server.bodies[0]

    source = pd.read_parquet(data)
    assert labels["id"].tolist() == source["id"].tolist()
    assert labels["label"].tolist() == [len(text) % 6 for text in source["text"]]
    assert labels["source_label"].tolist() == source["label"].tolist()
    assert labels["genre"].tolist() == source["genre"].tolist()
    assert labels["rubric"].nunique() == 1
    assert labels["span"].tolist() == [f"0-{len(text)}" for text in source["text"]]
    assert set(answers["reason"]) == {"so long"}
    assert set(answers["served"]) == {"stand-in-0"}
    assert asked.spent == pytest.approx(24 * (500 * 1 + 20 * 2) / 1e6)
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["strict"] is True
    assert not any(word in json.dumps(body) for word in ("genre", source["genre"][0] + '"'))
    folder = tmp_path / "labels"
    assert "so long" not in (folder / "manifest.json").read_text()
    summary = json.loads((folder / "_annotation.json").read_text())
    assert summary["counts"]["labelled"] == 24
    page = (folder / "_report.html").read_text()
    assert "Answers by judge" in page
    assert f"{asked.spent:.4f}" in page


def test_the_same_command_pays_nothing_again(data: str, tmp_path: Path) -> None:
    with serving(lambda body, _: judged(by_length(body))) as server:
        first, _, _ = run(request(data, server), tmp_path)
        second, _, asked = run(request(data, server), tmp_path, "again")
        assert max(server.answered.values()) == 1
        pd.testing.assert_frame_equal(first, second)
        assert (asked.calls, asked.reused) == (0, 24)

        _, _, warmer = run(request(data, server, "temperature=0.7"), tmp_path, "warmer")
        assert warmer.calls == 24, "other sampling settings are other questions"
        _, _, other = run(request(data, server, rubric="code"), tmp_path, "other")
        assert other.calls == 24, "another rubric is another question"
        _, _, twice = run(request(data, server, repeats=2), tmp_path, "twice")
        assert (twice.calls, twice.reused) == (24, 24)


def test_copies_of_a_text_are_judged_once(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "text": f"text {n % 3}"} for n in range(9)]
    rows += [{"id": "d0", "text": "another text"}, {"id": "e", "text": ""}, {"id": "f", "text": None}]
    pd.DataFrame(rows).to_parquet(tmp_path / "d.parquet")
    with serving(lambda body, _: judged(int(document_of(body)[-1]))) as server:
        labels, answers, asked = run(request(str(tmp_path / "d.parquet"), server, PRICE), tmp_path)

    assert asked.calls == 3
    assert labels["label"].tolist() == [0, 1, 2] * 3
    assert len(answers) == 9
    left = pd.read_parquet(tmp_path / "labels" / "_unanswered.parquet")
    assert left["reason"].tolist() == ["id of another text", "no text", "no text"]
    counts = json.loads((tmp_path / "labels" / "_annotation.json").read_text())["counts"]
    assert counts["cost"] == pytest.approx(asked.spent)


def test_a_storm_of_429_is_waited_out_as_the_server_says(data: str, tmp_path: Path) -> None:
    started = time.monotonic()

    def behave(body: dict[str, Any], number: int) -> Reply:
        if time.monotonic() - started < 1.5:
            return Reply(429, {"error": {"message": "slow down"}}, {"retry-after": "1"})
        return judged(by_length(body))

    with serving(behave) as server:
        labels, _, asked = run(request(data, server, most_calls=24), tmp_path)
        early = [when - server.times[0] for when in server.times if when - server.times[0] < 0.9]
    assert len(labels) == 24
    assert asked.calls == 24, "refused calls are not charged"
    assert len(early) <= 4, "no thread asks before the time that the server gave"


def test_faults_are_tried_again_and_no_label_is_lost_or_invented(data: str, tmp_path: Path) -> None:
    faults = [
        Reply(500, {"error": {"message": "oops"}}),
        Reply(503, b"<html>busy</html>", {"content-type": "text/html", "retry-after": "0"}),
        Reply(200, b'{"choices": [{"mess'),
        Reply(200, b"not JSON at all"),
        Reply(200, {"error": {"message": "overloaded"}}),
        Reply(200, completion("x" * 500), drop=True),
        Reply(200, completion("late"), delay=2.6),
        Reply(429, {"error": {"message": "slow"}}),
    ]
    surrogate = Reply(200, completion(r'{"reason": "a lone \ud800", "score": 1}'))

    def behave(body: dict[str, Any], number: int) -> Reply:
        place = sum(map(ord, document_of(body))) % (len(faults) + 1)
        if by_length(body) == 1:
            return surrogate
        return faults[place] if number == 1 and place < len(faults) else judged(by_length(body))

    with serving(behave) as server:
        labels, answers, asked = run(request(data, server, PRICE), tmp_path)
        kinds = {sum(map(ord, document_of(body))) % (len(faults) + 1) for body in server.bodies}
    assert len(kinds) > 6
    source = pd.read_parquet(data)
    assert labels["label"].tolist() == [len(text) % 6 for text in source["text"]]
    assert not asked.failed
    assert asked.unsure > 0, "a lost answer may have been charged"
    assert asked.spent == pytest.approx(answers["cost"].sum() + asked.unsure)


def test_a_failed_judgement_is_a_row_with_its_error_and_never_a_zero(data: str, tmp_path: Path) -> None:
    bad = {
        "empty": completion(""),
        "refused": completion(None, refusal="I cannot judge this"),
        "score outside the scale": completion('{"reason": "wow", "score": 11}'),
        "no JSON object": completion("I would say 5 of 5."),
        "cut off": completion('{"reason": "it is', finish="length"),
    }
    names = [*bad, "status 500", "good"]

    def kind(body: dict[str, Any]) -> str:
        return names[sum(map(ord, document_of(body))) % len(names)]

    def behave(body: dict[str, Any], _: int) -> Reply:
        if kind(body) == "status 500":
            return Reply(500, {"error": {"message": "oops"}})
        return Reply(200, bad[kind(body)]) if kind(body) in bad else judged(0)

    with serving(behave) as server:
        labels, answers, asked = run(request(data, server, PRICE), tmp_path)
        expected = {document_of(body): kind(body) for body in server.bodies}
        calls = len(server.bodies)
        run(request(data, server, PRICE), tmp_path, "again")
        lost = sum(kind == "status 500" for kind in expected.values())
        assert len(server.bodies) - calls == 3 * lost, "an answer without a score is paid, and not asked again"
    texts = dict(zip(pd.read_parquet(data)["id"], pd.read_parquet(data)["text"], strict=True))
    for row in answers.itertuples():
        wanted = expected[texts[row.id]]
        assert row.error == ("" if wanted == "good" else wanted)
        assert row.grade == 0 if wanted == "good" else pd.isna(row.grade)
    assert set(labels["id"]) == {name for name, text in texts.items() if expected[text] == "good"}
    left = pd.read_parquet(tmp_path / "labels" / "_unanswered.parquet")
    assert dict(zip(left["id"], left["reason"], strict=True)) == {
        name: expected[text] for name, text in texts.items() if expected[text] != "good"
    }
    assert set(asked.failed.values()) == {"status 500"}


def test_a_server_without_structured_output_is_parsed_strictly(data: str, tmp_path: Path) -> None:
    def behave(body: dict[str, Any], _: int) -> Reply:
        if "response_format" in body:
            return Reply(400, {"error": {"message": "response_format is not supported by this model"}})
        if "max_tokens" in body:
            return Reply(
                400,
                {"error": {"message": "'max_tokens' is not supported with this model. Use 'max_completion_tokens'."}},
            )
        fenced = f'```json\n{{"reason": "r", "score": {by_length(body)}}}\n```'
        return Reply(200, completion(fenced if by_length(body) < 5 else f"Sure! {fenced}"))

    with serving(behave) as server:
        labels, answers, _ = run(request(data, server), tmp_path)
        assert all("max_completion_tokens" in body for body in server.bodies[-10:])
    texts = pd.read_parquet(data)["text"]
    assert len(labels) == sum(len(text) % 6 < 5 for text in texts)
    assert set(answers.loc[answers["grade"].isna(), "error"]) == {"no JSON object"}


@pytest.mark.parametrize(
    ("status", "message", "complaint"),
    [
        (401, "no such key", "Check the key in OPENAI_API_KEY"),
        (404, "no such model", "Check the base URL and the model"),
        (429, "insufficient_quota", "no credit left"),
        (400, "temperature 0 is not supported", "temperature=default"),
    ],
)
def test_what_no_question_can_get_past_stops_the_run(
    data: str, tmp_path: Path, status: int, message: str, complaint: str
) -> None:
    def behave(body: dict[str, Any], _: int) -> Reply:
        return Reply(status, {"error": {"message": message, "code": message}}) if len(server.bodies) > 8 else judged(2)

    with serving(behave) as server:
        with pytest.raises(InputError, match=complaint):
            run(request(data, server, pace=Pace(1, 2.0, 3)), tmp_path)
        assert not (tmp_path / "labels").exists()
        server.behave = lambda body, _: judged(3)
        labels, _, asked = run(request(data, server), tmp_path)
        assert asked.reused == 8
    assert len(labels) == 24


def test_a_server_that_is_not_there_is_given_up(data: str, tmp_path: Path) -> None:
    with serving(lambda body, _: judged(1)) as server:
        pass
    with pytest.raises(InputError, match=r"20 questions in a row got no response, the last one: no connection"):
        run(request(data, server, pace=Pace(8, 2.0, 1)), tmp_path)


def test_money_is_reserved_before_it_is_spent(data: str, tmp_path: Path) -> None:
    """No request is sent that could bring the cost above the budget, and a larger budget resumes."""
    cost = (500 * 1 + 20 * 2) / 1e6
    with serving(lambda body, _: judged(by_length(body))) as server:
        labels, _, asked = run(request(data, server, PRICE, budget=12 * cost), tmp_path)
        most = max(len(json.dumps(body["messages"])) for body in server.bodies)
        assert 0 < len(server.bodies) < 12
        assert asked.spent <= 12 * cost
        # The next call could have cost as much as all bytes of its prompt and all tokens of its answer.
        assert asked.spent + (most + 1_000 + 2 * 512) / 1e6 > 12 * cost
        assert set(asked.failed.values()) == {"budget spent"}
        assert "The budget ended" in (tmp_path / "labels" / "_report.html").read_text()
        assert len(labels) == len(server.bodies)

        _, _, same = run(request(data, server, PRICE, budget=12 * cost), tmp_path, "same")
        assert same.calls == 0, "answers of earlier runs count"
        more, _, _ = run(request(data, server, PRICE, budget=1.0), tmp_path, "more")
        assert len(more) == 24
        assert max(server.answered.values()) == 1


def test_lost_answers_count_as_the_most_that_they_can_have_cost(data: str, tmp_path: Path) -> None:
    with (
        serving(lambda body, _: Reply(500, {"error": {"message": "oops"}})) as server,
        pytest.raises(InputError, match=r"no document has a label: .*budget spent"),
    ):
        run(request(data, server, PRICE, budget=0.02, pace=Pace(1, 2.0, 2)), tmp_path)
    # A prompt has about 3,500 bytes: 0.02 pays for at most five calls.
    assert 1 <= len(server.bodies) <= 5


def test_calls_are_counted_also_those_whose_answers_were_lost(data: str, tmp_path: Path) -> None:
    def behave(body: dict[str, Any], number: int) -> Reply:
        return Reply(500, {"error": {"message": "oops"}}) if number == 1 else judged(1)

    with serving(behave) as server:
        labels, _, asked = run(request(data, server, most_calls=11), tmp_path)
        assert len(server.bodies) == asked.calls == 11
    assert 0 < len(labels) <= 11
    counted = json.loads((tmp_path / "labels" / "_annotation.json").read_text())["counts"]["unanswered"]
    assert counted["budget spent"] == 24 - len(labels)


def test_two_judges_and_repeats_are_asked_and_combined(data: str, tmp_path: Path) -> None:
    with serving(lambda body, n: judged(by_length(body) if body["model"] == "a" else min(5, n % 6))) as server:
        judges = read_judges([f"a@{server.url}", f"b/c@{server.url} temperature=1"])
        made = AnnotationRequest(data, judges=judges, repeats=2, encoder="words", windows=Windows(1_000, 1))
        labels, answers, asked = run(made, tmp_path)
    assert asked.calls == 24 * 4
    assert answers.groupby(["judge", "repeat"]).size().tolist() == [24] * 4
    means = answers.groupby(["id", "judge"])["grade"].mean().unstack()
    assert labels.set_index("id")["grade_a"].equals(means["a"].reindex(labels["id"]))
    assert labels["label"].between(0, 5).all()
    assert (labels["label"] - labels["grade_a"]).abs().mean() < (labels["label"] - labels["grade_b_c"]).abs().mean(), (
        "the judge who agrees with itself counts for more"
    )
    assert (labels["uncertainty"] > 0).any()


def test_a_long_document_is_shown_by_the_windows_of_the_model(tmp_path: Path, tiny_encoder: Path) -> None:
    text = "\n\n".join(f"Paragraph {n} explains fraction number {n}." for n in range(400))
    pd.DataFrame({"id": ["long", "short"], "text": [text, "A short one."]}).to_parquet(tmp_path / "d.parquet")
    with serving(lambda body, _: judged(len(document_of(body)) % 5)) as server:
        judges = read_judges([f"m@{server.url}"])
        made = AnnotationRequest(
            str(tmp_path / "d.parquet"), judges=judges, encoder=str(tiny_encoder), windows=Windows(64, 3)
        )
        labels, _, _ = run(made, tmp_path)
        seen = {document_of(body) for body in server.bodies}
    spans = [tuple(map(int, part.split("-"))) for part in labels.set_index("id").loc["long", "span"].split(";")]
    assert len(spans) == 3
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert "\n\n[…]\n\n".join(text[start:end] for start, end in spans) in seen
    assert "A short one." in seen


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["m m"], "no setting"),
        (["m price=x"], "cannot be read"),
        (["m tokens=3"], "an answer of 3 tokens"),
        (["m name=a/"], "no name for a judge"),
        (["m", "m@http://h/v1"], "two judges are called"),
        (["m@http://user:word@h/v1"], "holds a secret"),
        (["column:"], "no settings but"),
        (["column:x tokens=20"], "no settings but"),
    ],
)
def test_a_judge_that_cannot_be_used_gives_the_reason(given: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_judges(given)


@pytest.mark.parametrize(
    "given",
    [
        "gpt-5-mini",
        "org/m@http://h:8000/v1 name=mine key=MY_KEY price=0.25/2 temperature=0.7 tokens=100",
        "m temperature=default",
        "qwen:7b@https://h/v1",
        "column:rater_1",
        "column:rater_1 name=anna",
    ],
)
def test_a_judge_is_written_as_it_was_read(given: str) -> None:
    assert str(Judge.parse(given)) == given
    assert Judge.parse(str(Judge.parse(given))) == Judge.parse(given)


def test_a_key_that_is_missing_is_named(data: str, tmp_path: Path) -> None:
    made = AnnotationRequest(data, judges=read_judges(["gpt-5-mini key=MY_KEY"]), encoder="words")
    with pytest.raises(InputError, match="MY_KEY is not set"):
        run(made, tmp_path)


def test_a_budget_of_money_needs_prices(data: str) -> None:
    with pytest.raises(InputError, match=r"no price of m"):
        AnnotationRequest(data, judges=read_judges(["m"]), budget=1.0)


def test_a_damaged_answer_is_refused_and_named(data: str, tmp_path: Path) -> None:
    """A damaged answer is refused, and not read as another one."""
    with serving(lambda body, _: judged(1)) as server:
        run(request(data, server), tmp_path)
        (damaged, *_) = (path for path in (tmp_path / "answers").glob("*/??/*.json") if path.stat().st_size > 10)
        damaged.write_text("{}")
        with pytest.raises(InputError, match="Remove this file"):
            run(request(data, server), tmp_path, "again")
        damaged.unlink()
        run(request(data, server), tmp_path, "again")
        assert sum(server.answered.values()) == 25


def test_documents_are_taken_from_snapshots_too(data: str, tmp_path: Path) -> None:
    with serving(lambda body, _: judged(by_length(body))) as server:
        run(request(data, server), tmp_path)
        labels, _, asked = run(request(str(tmp_path / "labels"), server), tmp_path, "again")
    assert asked.calls == 0
    assert "source_label_2" in labels or "source_label" in labels
    assert Snapshot.open(tmp_path / "again").manifest.rows == 24
