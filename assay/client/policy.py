"""What all transports share: the size of a request, the pauses between tries, and the one error."""

import datetime
import email.utils
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError

PASSING = (408, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed. Scoring changes nothing, so a request may be sent twice."""
Document = Mapping[str, str]
"""A document: `id` and `text`."""
Answers = list[dict[str, Any]]


class CallError(InputError):
    """A call that got no answers, after all tries. `status` is that of the last answer, 0 if there was none."""

    def __init__(self, what: str, *, where: str, status: int = 0, tries: int = 1, fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.tries = status, tries


@dataclass(frozen=True)
class Batching:
    """Limits of one request, below those of the service (`ASSAY_SERVE_DOCUMENTS`, `ASSAY_SERVE_BODY_BYTES`)."""

    documents: int = 64
    """Most documents of a request. The service accepts 256, but many small requests share its batches better."""
    body_bytes: int = 4 * 2**20
    """Bytes of the largest body. A document that is larger alone is sent alone."""

    def split(self, documents: Sequence[Document]) -> Iterator[list[Document]]:
        """Yield the documents in order, in requests within the limits."""
        batch: list[Document] = []
        size = ENVELOPE
        for document in documents:
            own = len(json.dumps(dict(document))) + 2
            if batch and (len(batch) >= self.documents or size + own > self.body_bytes):
                yield batch
                batch, size = [], ENVELOPE
            batch.append(document)
            size += own
        if batch:
            yield batch


ENVELOPE = len('{"documents": []}')


@dataclass(frozen=True)
class Retries:
    """The tries of a request that failed in a way that may pass."""

    tries: int = 6
    """Most tries."""
    first: float = 0.5
    """Longest pause before the second try, in seconds. It doubles."""
    longest: float = 30.0
    """Longest pause, in seconds. A longer Retry-After ends the tries."""

    def pause(self, tried: int, asked: float | None) -> float | None:
        """Return the seconds before the next try, or None if there is none.

        `asked`: seconds of Retry-After. The pause is never shorter, and lengthened at random by up to half: clients
        that were refused together must not come back together. Without it the pause is drawn from 0 to the limit
        ("full jitter": Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
        """
        if tried >= self.tries or (asked is not None and asked > self.longest):
            return None
        if asked is not None:
            return asked * (1 + random.random() / 2)
        return random.uniform(0, min(self.longest, self.first * 2 ** (tried - 1)))


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date. None if it is missing or neither."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=datetime.UTC)
    return max(0.0, (until - datetime.datetime.now(datetime.UTC)).total_seconds())


def as_documents(texts: Sequence[str | Document]) -> list[Document]:
    """Return documents of texts, whose ids are their numbers, and documents as they are.

    Raise InputError for anything else.
    """
    found: list[Document] = []
    for number, each in enumerate(texts):
        if isinstance(each, str):
            found.append({"id": str(number), "text": each})
        elif isinstance(each.get("id"), str) and isinstance(each.get("text"), str):
            found.append({"id": each["id"], "text": each["text"]})
        else:
            raise InputError("a document has an id and a text, both text", where=f"document {number}")
    return found


def checked(answers: Any, documents: Sequence[Document], where: str) -> Answers:
    """Return the answers. Raise CallError if they do not belong to the documents, in their order."""
    ids = [answer.get("id") if isinstance(answer, dict) else None for answer in answers or []]
    if ids != [document["id"] for document in documents]:
        raise CallError("the answers do not belong to the documents sent", where=where, status=200)
    return list(answers)
