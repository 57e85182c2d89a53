"""Ask a judge over the chat-completions protocol: waiting, retrying, and no call without a reservation."""

import datetime
import email.utils
import json
import os
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from assay.annotation.answer import (
    KEPT,
    Answer,
    AnswerError,
    Completion,
    read_completion,
    read_score,
)
from assay.annotation.budget import Budget
from assay.annotation.judge import DEFAULT_KEY, Judge
from assay.annotation.pace import Pace
from assay.annotation.prompt import Prompt
from assay.annotation.shown import Shown
from assay.errors import InputError
from assay.progress import say

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second try, which double with each further one, and their upper bound."""
LONGEST_WAIT = 600.0
"""Seconds that one question waits because of status 429, in all, before it is given up."""
IN_A_ROW = 20
"""Questions in a row that got no response, after which the judge counts as unreachable."""


class UnansweredError(Exception):
    """A question that got no answer. Nothing is stored, so that the next run asks it again."""


def body_of(judge: Judge, prompt: Prompt, shown: Shown, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the body of a request. `without` names features that the server refused."""
    count = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
    body: dict[str, Any] = {"model": judge.model, "messages": prompt.messages(shown.text), count: judge.tokens}
    if judge.temperature is not None:
        body["temperature"] = judge.temperature
    if "response_format" not in without:
        schema = {"name": "judgement", "strict": True, "schema": prompt.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def bytes_of(body: Mapping[str, Any]) -> int:
    """Return the bytes of the messages and of the schema: the most tokens that a prompt can have."""
    return len(json.dumps([body["messages"], body.get("response_format")], ensure_ascii=False).encode())


def answer_of(judge: Judge, prompt: Prompt, span: str, repeat: int, completion: Completion, most: float) -> Answer:
    """Return the record of a completion. Without its tokens, it costs the most that it can."""
    try:
        (score, reason), error = read_score(completion, prompt.rubric), ""
    except AnswerError as invalid:
        score, reason, error = None, "", str(invalid)
    tokens_in, tokens_out = completion.tokens_in, completion.tokens_out
    known = tokens_in is not None and tokens_out is not None
    return Answer(
        judge=judge.name,
        prompt=prompt.digest,
        span=span,
        repeat=repeat,
        score=score,
        reason=_storable(reason),
        error=error,
        served=_storable(completion.served),
        tokens_in=tokens_in or 0,
        tokens_out=tokens_out or 0,
        cost=judge.cost(tokens_in or 0, tokens_out or 0) if known else most,
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        raw=_storable(completion.content) if error else "",
    )


def _storable(text: str) -> str:
    """Return the beginning of a text. Escapes of JSON can be lone surrogates, which UTF-8 cannot encode."""
    return text[:KEPT].encode("utf-8", "replace").decode("utf-8")


class Client:
    """A judge behind a server. Several threads may ask at once; all of them wait where the server says so."""

    def __init__(
        self,
        judge: Judge,
        prompt: Prompt,
        budget: Budget,
        pace: Pace,
        *,
        stop: threading.Event | None = None,
    ) -> None:
        """Raise InputError if the key of the judge is missing."""
        try:
            import httpx
            import openai
        except ImportError as error:
            raise InputError(
                "the package openai is missing", where=f"judge {judge.name}", fix="Install assay[annotate]"
            ) from error
        self.judge, self.prompt, self.budget, self.pace = judge, prompt, budget, pace
        found = os.environ.get(judge.key, "")
        server = judge.url or os.environ.get("OPENAI_BASE_URL", "")
        if not found and (judge.key != DEFAULT_KEY or not server):
            raise InputError(f"{judge.key} is not set", where=f"judge {judge.name}", fix="Set it to the server's key")
        self._openai = openai
        # The library's own retries are off: they would spend without a reservation.
        self._client = openai.OpenAI(
            api_key=found or "none",  # local servers want none, and the library wants one
            base_url=judge.url or None,
            max_retries=0,
            timeout=httpx.Timeout(pace.timeout, connect=min(10.0, pace.timeout)),
        )
        self._stop = stop or threading.Event()
        self._without: frozenset[str] = frozenset()
        self._reported: frozenset[int] = frozenset()
        self._not_before, self._lost_in_a_row = 0.0, 0
        self._lock = threading.Lock()

    def ask(self, shown: Shown, repeat: int) -> Answer:
        """Return the answer to one question, valid or not.

        Raise UnansweredError with the reason if the server gave none, SpentError if the budget ends, and InputError if
        no further question can be answered: a wrong key, an unknown model, a server that is not there.
        """
        errors, lost, limited, waited = self._openai, 0, 0, 0.0
        while True:
            waited += self._wait_for_turn()
            if self._stop.is_set():
                raise UnansweredError("stopped")
            without = self._without
            body = body_of(self.judge, self.prompt, shown, without=without)
            most = self.judge.most(bytes_of(body))
            self.budget.reserve(most)
            cost: float | None = None
            charged, problem, after = True, "", None
            try:
                response = self._client.chat.completions.with_raw_response.create(**body)
                completion = read_completion(_json(response.http_response.content))
                found = answer_of(self.judge, self.prompt, shown.digest, repeat, completion, most)
                cost = found.cost
                self._lost_in_a_row = 0
                return found
            except errors.RateLimitError as error:
                charged, limited = False, limited + 1
                self._refuse_if_out_of_credit(error)
                if waited > LONGEST_WAIT:
                    raise UnansweredError("status 429") from error
                self._delay(_retry_after(error.response.headers), limited)
            except errors.InternalServerError as error:
                problem, after = f"status {error.status_code}", _retry_after(error.response.headers)
            except errors.APIStatusError as error:
                charged = False
                self._adapt(error, without)
            except errors.APIConnectionError as error:
                # Timeouts are of this class, too. Without a connection nothing was sent, and nothing can be charged.
                charged = type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout")
                problem = "timeout" if isinstance(error, errors.APITimeoutError) else "no connection"
            except AnswerError as error:
                problem = str(error)
            finally:
                self.budget.settle(most, cost) if charged else self.budget.release(most)
            if problem:
                lost = self._again(lost, problem, after)

    def _adapt(self, error: Any, without: frozenset[str]) -> None:
        """Leave out a feature that the server refused, or raise."""
        status, text = error.status_code, str(error)
        where = f"judge {self.judge.name}"
        if status in (400, 422):
            for feature, refused in (("response_format", _refuses_schema), ("max_tokens", _refuses_max_tokens)):
                if feature not in without and refused(text):
                    with self._lock:
                        if feature not in self._without:
                            say(f"{self.judge.name}: its server refuses {feature}; it is left out")
                        self._without |= {feature}
                    return
            if "temperature" in text and self.judge.temperature is not None:
                raise InputError(
                    f"its server refuses temperature {self.judge.temperature:g}",
                    where=where,
                    fix="Give temperature=default",
                ) from error
        if status in (401, 403, 404, 405):
            fix = "Check the base URL and the model" if status > 403 else f"Check the key in {self.judge.key}"
            raise InputError(f"status {status}: {text[:200]}", where=where, fix=fix) from error
        self._report_once(status, text)
        raise UnansweredError(f"status {status}") from error

    def _report_once(self, status: int, text: str) -> None:
        """Print the first message of each status: it says why documents get no answer."""
        with self._lock:
            new, self._reported = status not in self._reported, self._reported | {status}
        if new:
            say(f"{self.judge.name}: status {status}: {text[:300]}")

    def _again(self, lost: int, reason: str, after: float | None) -> int:
        """Wait before the next try, and return their number. Raise UnansweredError after the last."""
        lost += 1
        if lost >= self.pace.tries:
            with self._lock:
                self._lost_in_a_row += 1
                gone = self._lost_in_a_row >= IN_A_ROW
            if gone:
                raise InputError(
                    f"{IN_A_ROW} questions in a row got no response, the last one: {reason}",
                    where=f"judge {self.judge.name}",
                    fix="Check the server, and run the same command again: answers so far are kept",
                )
            raise UnansweredError(reason)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (lost - 1)) * random.uniform(0.5, 1)
        self._stop.wait(max(pause, after or 0.0))
        return lost

    def _delay(self, seconds: float | None, limited: int) -> None:
        """Let all threads wait, as the server says, or for a pause that grows."""
        pause = FIRST_PAUSE * 2 ** min(limited, 6) if seconds is None else seconds
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + pause)

    def _wait_for_turn(self) -> float:
        """Wait until the server may be asked, and return the seconds."""
        started = time.monotonic()
        while (left := self._not_before - time.monotonic()) > 0 and not self._stop.is_set():
            # With jitter, or all threads would come back in the same moment.
            self._stop.wait(left + random.uniform(0, min(1.0, left / 4)))
        return time.monotonic() - started

    def _refuse_if_out_of_credit(self, error: Any) -> None:
        if "insufficient_quota" in str(error):
            raise InputError(
                "the account of this key has no credit left",
                where=f"judge {self.judge.name}",
                fix="Add credit, and run the same command again: answers so far are kept",
            ) from error


def _refuses_schema(text: str) -> bool:
    return any(word in text for word in ("response_format", "json_schema", "grammar", "guided"))


def _refuses_max_tokens(text: str) -> bool:
    # A message about a prompt that is too long names max_tokens, too.
    return "max_completion_tokens" in text and "not supported" in text


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None  # `read_completion` names the reason


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `retry-after-ms` or `Retry-After`, a number or a date. None if neither is given."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if given := headers.get("retry-after"):
            try:
                seconds = float(given)
            except ValueError:
                seconds = email.utils.parsedate_to_datetime(given).timestamp() - time.time()
            return min(max(0.0, seconds), LONGEST_WAIT)
    except (ValueError, TypeError):
        pass
    return None
