"""The contracts by which SageMaker and Vertex AI call a container: other routes and other forms for the same scores.

SageMaker: `GET /ping`, `POST /invocations` with JSON or JSON Lines, `GET /execution-parameters` for batch transform
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html and
your-algorithms-batch-code.html). Vertex AI: routes that it names, `instances` in, `predictions` out
(https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Send

from assay.serving.documents import Document, parse_documents, parse_instances, parse_lines
from assay.serving.settings import ServeSettings

JSON = "application/json"
LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson")
"""Content types of JSON Lines. SageMaker's own is the first."""
PARAMETERS = "/execution-parameters"
AT_ONCE = 8
"""Requests that batch transform may send at one time. The model reads them as batches anyway."""

Parse = Callable[[bytes, ServeSettings, float], list[Document]]
Write = Callable[[bytes], tuple[bytes, str]]


@dataclass(frozen=True)
class Contract:
    """Routes of one cloud, and how it writes documents and answers."""

    name: str
    health: str
    predict: str

    @property
    def routes(self) -> dict[str, str]:
        """Route -> method, beside those that the service always has."""
        more = {PARAMETERS: "GET"} if self.name == "sagemaker" else {}
        return {self.health: "GET", self.predict: "POST", **more}

    def kinds(self) -> tuple[str, ...]:
        """Return the content types of a request; an empty one is JSON."""
        return (JSON, "", *LINES) if self.name == "sagemaker" else (JSON, "")

    def parse(self, kind: str) -> Parse:
        """Return the parser of a body of this content type."""
        if self.name == "vertex":
            return parse_instances
        return parse_lines if kind in LINES else parse_documents

    def write(self, kind: str, accept: str) -> Write:
        """Return what turns the JSON list of answers into the form of this cloud, with its content type."""
        if self.name == "vertex":
            return _predictions
        wanted = [each.split(";")[0].strip().lower() for each in accept.split(",")]
        lines = any(each in LINES for each in wanted) or (kind in LINES and JSON not in wanted)
        return _lines if lines else lambda answers: (answers, JSON)


def contract_of(settings: ServeSettings) -> Contract | None:
    """Return the contract that the settings name, or None."""
    if settings.platform == "sagemaker":
        return Contract("sagemaker", "/ping", "/invocations")
    if settings.platform == "vertex":
        return Contract("vertex", settings.health_route, settings.predict_route)
    return None


def execution_parameters(settings: ServeSettings) -> dict[str, Any]:
    """Return what batch transform uses where the job says nothing.

    One document a request: a mini-batch of lines is filled by bytes, and could hold more documents than a request may.
    """
    size = max(1, settings.body_bytes // 2**20)
    return {"MaxConcurrentTransforms": AT_ONCE, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": size}


def rewriting(send: Send, write: Write) -> Send:
    """Return a `send` that writes the body of an answer 200 anew; refusals pass as they are."""
    start: Message | None = None
    body = b""

    async def sent(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            if message["status"] == 200:
                start = message
                return
        elif start is not None and message["type"] == "http.response.body":
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            content, kind = write(body)
            await send({**start, "headers": _headers(start, {"content-type": kind, "content-length": len(content)})})
            await send({"type": "http.response.body", "body": content, "more_body": False})
            return
        await send(message)

    return sent


def _headers(start: Message, changed: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in start["headers"] if name.decode("latin-1").lower() not in changed]
    return kept + [(name.encode(), str(value).encode()) for name, value in changed.items()]


def _predictions(answers: bytes) -> tuple[bytes, str]:
    return b'{"predictions": ' + answers + b"}", JSON


def _lines(answers: bytes) -> tuple[bytes, str]:
    # No newline at the end: batch transform adds one between the answers that it joins.
    return "\n".join(json.dumps(answer) for answer in json.loads(answers)).encode("ascii"), LINES[0]
