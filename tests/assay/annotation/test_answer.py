"""Answers are read strictly: what is no judgement never becomes a score."""

import json

import pytest

from assay.annotation.answer import AnswerError, Completion, read_completion, read_score
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def said(content: str | None, finish: str = "stop", refusal: str | None = None) -> Completion:
    message = {"content": content, "refusal": refusal}
    return read_completion({"choices": [{"message": message, "finish_reason": finish}], "model": "m"})


@pytest.mark.parametrize(
    "content",
    [
        '{"reason": "clear", "score": 4}',
        '  {"score": 4, "reason": "clear"}\n',
        '{"reason": "clear", "score": 4.0}',
        '```json\n{"reason": "clear", "score": 4}\n```',
        '```\n{"reason": "clear",\n "score": 4}\n```',
        '<think>It may be 5. {"reason": "x", "score": 5}</think>\n{"reason": "clear", "score": 4}',
    ],
)
def test_one_object_of_the_schema_is_a_score(content: str) -> None:
    assert read_score(said(content), RUBRIC) == (4, "clear")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        (None, "empty"),
        ("   \n", "empty"),
        ("<think>hm</think>", "empty"),
        ("4", "no JSON object"),
        ("[4]", "no JSON object"),
        ("null", "no JSON object"),
        ("The score is 4.", "no JSON object"),
        ('Here you are: {"reason": "clear", "score": 4}', "no JSON object"),
        ('{"reason": "clear", "score": 4} I hope this helps.', "no JSON object"),
        ('{"reason": "clear", "score": 4}{"reason": "no", "score": 1}', "no JSON object"),
        ('<think>a</think><think>b</think>{"reason": "clear", "score": 4}', "no JSON object"),
        ("<think>never closed, score 5", "no JSON object"),
        ('{"reason": "clear", "sco', "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"reason": "clear", "score": 4, "score": 5}', "two scores"),
        ('{"reason": "clear", "reason": "no", "score": 5}', "JSON of another form"),
        ('{"score": 4}', "JSON of another form"),
        ('{"reason": null, "score": 4}', "JSON of another form"),
        ('{"reason": "clear", "score": "4"}', "JSON of another form"),
        ('{"reason": "clear", "score": true}', "JSON of another form"),
        ('{"reason": "clear", "score": null}', "JSON of another form"),
        ('{"reason": "clear", "score": 3.5}', "JSON of another form"),
        ('{"reason": "clear", "score": NaN}', "JSON of another form"),
        ('{"reason": "clear", "score": [4]}', "JSON of another form"),
        ('{"reason": "clear", "score": 4, "final_score": 5}', "JSON of another form"),
        ('{"reason": "clear", "score": 6}', "score outside the scale"),
        ('{"reason": "clear", "score": -1}', "score outside the scale"),
        ('{"reason": "clear", "score": 1e400}', "JSON of another form"),
    ],
)
def test_everything_else_has_a_reason_and_no_score(content: str | None, reason: str) -> None:
    with pytest.raises(AnswerError, match=f"^{reason}$"):
        read_score(said(content), RUBRIC)


def test_a_cut_or_refused_answer_is_none_also_if_it_could_be_read() -> None:
    whole = '{"reason": "clear", "score": 4}'
    with pytest.raises(AnswerError, match=r"^cut off$"):
        read_score(said(whole, finish="length"), RUBRIC)
    with pytest.raises(AnswerError, match=r"^refused$"):
        read_score(said(whole, refusal="I cannot"), RUBRIC)
    with pytest.raises(AnswerError, match=r"^refused$"):
        read_score(said(None, finish="content_filter"), RUBRIC)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": {"score": 4}}}]},
        {"error": {"message": "overloaded"}},
    ],
)
def test_what_is_no_completion_is_named_so(body: object) -> None:
    with pytest.raises(AnswerError, match="no chat completion"):
        read_completion(body)


def test_tokens_are_read_only_if_they_are_counts() -> None:
    body = json.loads('{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -3}}')
    found = read_completion(body)
    assert (found.tokens_in, found.tokens_out) == (None, None)
