"""One answer of a judge: how it is read, and the record that is kept of it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from assay.rubric import Rubric

EMPTY, TRUNCATED, REFUSED = "empty", "cut off", "refused"
NO_JSON, OTHER_FORM, OUTSIDE = "no JSON object", "JSON of another form", "score outside the scale"
TWO_SCORES = "two scores"
UNREADABLE = "no chat completion"
KEPT = 2_000
"""Characters that are kept of a reason, and of an answer without a valid score."""
THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)


class AnswerError(ValueError):
    """An answer without a valid score. The message is the reason, one of those of this module."""


@dataclass(frozen=True)
class Answer:
    """One answer, as it is stored. It was paid for, valid or not."""

    judge: str
    prompt: str
    """Digest of the prompt, which has the rubric in it."""
    span: str
    """Digest of the text that was shown."""
    repeat: int
    score: int | None
    """None if there is no valid score; `error` has the reason."""
    reason: str
    """The judge's reason, in its own words."""
    error: str
    served: str
    """Name of the model in the response."""
    tokens_in: int
    tokens_out: int
    cost: float
    """Price of the call; 0 without a price."""
    when: str
    raw: str = ""
    """Beginning of the answer, if it has no valid score."""


@dataclass(frozen=True)
class Completion:
    """What is needed of a response of the protocol."""

    content: str
    finish: str
    refusal: bool
    served: str
    tokens_in: int | None
    tokens_out: int | None


def read_completion(body: Any) -> Completion:
    """Read the body of a chat completion. Raise AnswerError if it is none."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            raise TypeError("content is no text")
        usage = body.get("usage") or {}
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        given = [count if isinstance(count, int) and count >= 0 else None for count in counts]
        finish = str(choice.get("finish_reason") or "")
        refused = bool(message.get("refusal")) or finish == "content_filter"
        return Completion(content or "", finish, refused, str(body.get("model") or ""), *given)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise AnswerError(UNREADABLE) from error


def read_score(completion: Completion, rubric: Rubric) -> tuple[int, str]:
    """Return score and reason. Raise AnswerError for anything but one JSON object of the schema.

    A block of thoughts before the object, and a fence of Markdown around it, are taken away: many local models write
    them. Nothing else is: a number that is found in prose may be anything.
    """
    if completion.refusal:
        raise AnswerError(REFUSED)
    if completion.finish == "length":
        raise AnswerError(TRUNCATED)
    text = THOUGHT.sub("", completion.content).strip()
    if not text:
        raise AnswerError(EMPTY)
    fenced = FENCE.match(text)
    try:
        found = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_distinct)
    except AnswerError:
        raise
    except (ValueError, RecursionError) as error:
        raise AnswerError(NO_JSON) from error
    if not isinstance(found, dict):
        raise AnswerError(NO_JSON)
    score, reason = found.get("score"), found.get("reason")
    if set(found) != {"reason", "score"} or not isinstance(reason, str):
        raise AnswerError(OTHER_FORM)
    if isinstance(score, float) and score.is_integer():
        score = int(score)
    if not isinstance(score, int) or isinstance(score, bool):
        raise AnswerError(OTHER_FORM)
    if score not in rubric.grades:
        raise AnswerError(OUTSIDE)
    return score, reason


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if names.count("score") > 1:
        raise AnswerError(TWO_SCORES)
    if len(set(names)) < len(names):
        raise AnswerError(OTHER_FORM)
    return dict(pairs)
