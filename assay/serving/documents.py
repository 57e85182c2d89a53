"""Parse the body of a request into documents. A refusal names the place in the body and never repeats its content."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.serving.settings import ServeSettings

ID_CHARACTERS = 1_024
"""Longest id, in characters. The answer repeats the id."""
MOST_DETAILS = 20
"""Most mistakes that a refusal lists."""


@dataclass(frozen=True)
class Document:
    """A document to be scored."""

    id: str
    text: str = field(repr=False)
    until: float
    """Time (`time.monotonic`) until which the client waits for the answer."""


@dataclass(eq=False)
class RefusedError(Exception):
    """A refusal, sent as the answer. Nothing in it comes from a document."""

    status: int
    error: str
    detail: Sequence[Mapping[str, Any]] = ()
    """Mistakes, each with `loc`, its path in the body, and `msg`, its description."""
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_documents(body: bytes, settings: ServeSettings, until: float) -> list[Document]:
    """Return the documents of a request to /score, at least one. Ids may repeat.

    Raise RefusedError: 400 if the body is not `{"documents": [{"id": …, "text": …}, …]}`, 413 if it exceeds a limit.
    """
    return _of_field(_parse(body), "documents", (), settings, until)


def parse_instances(body: bytes, settings: ServeSettings, until: float) -> list[Document]:
    """Return the documents of `{"instances": [{"id": …, "text": …}, …]}`, the form of Vertex AI. Raise as
    `parse_documents`. `parameters`, which Vertex AI passes on, has no meaning here.
    """
    return _of_field(_parse(body), "instances", ("parameters",), settings, until)


def parse_lines(body: bytes, settings: ServeSettings, until: float) -> list[Document]:
    """Return the documents of JSON Lines, one `{"id": …, "text": …}` a line. Empty lines are left out.

    Raise RefusedError as `parse_documents`; places begin with `line` and its number, from 1.
    """
    rows: list[Any] = []
    lines: list[int] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        if len(rows) == settings.documents:
            raise _too_many(["line", number], f"more than {settings.documents} documents")
        try:
            rows.append(_parse(line))
        except RefusedError as refusal:
            detail = [{"loc": ["line", number], "msg": each["msg"]} for each in refusal.detail]
            raise RefusedError(refusal.status, refusal.error, detail) from None
        lines.append(number)
    mistakes = _Mistakes()
    if not rows:
        mistakes.add((), "must hold at least one document")
    return _documents(rows, lambda index: ("line", lines[index]), mistakes, settings, until)


def _of_field(
    value: Any, field: str, ignored: tuple[str, ...], settings: ServeSettings, until: float
) -> list[Document]:
    mistakes = _Mistakes()
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if name not in ignored}
    fields = mistakes.fields(value, (), (field,))
    rows = fields.get(field)
    if not mistakes.found and not isinstance(rows, list):
        mistakes.add((field,), "must be a list")
    elif not mistakes.found and not rows:
        mistakes.add((field,), "must hold at least one document")
    mistakes.refuse()
    assert isinstance(rows, list)
    if len(rows) > settings.documents:
        raise _too_many([field], f"{len(rows)} documents; at most {settings.documents} are taken at once")
    return _documents(rows, lambda index: (field, index), mistakes, settings, until)


def _documents(
    rows: list[Any],
    place_of: Callable[[int], tuple[str | int, ...]],
    mistakes: "_Mistakes",
    settings: ServeSettings,
    until: float,
) -> list[Document]:
    documents = []
    for index, row in enumerate(rows):
        place = place_of(index)
        given = mistakes.fields(row, place, ("id", "text"))
        id, text = mistakes.string(given, "id", place), mistakes.string(given, "text", place)
        if len(id) > ID_CHARACTERS:
            mistakes.add((*place, "id"), f"is longer than {ID_CHARACTERS} characters")
        documents.append(Document(id, text, until))
    mistakes.refuse()
    _check_lengths([document.text for document in documents], settings, lambda index: [*place_of(index), "text"])
    return documents


def parse_text(body: bytes, settings: ServeSettings, until: float) -> Document:
    """Return the text of a request to /explain. Raise RefusedError: 400 if it is no `{"text": …}`, 413 if too long."""
    mistakes = _Mistakes()
    text = mistakes.string(mistakes.fields(_parse(body), (), ("text",)), "text", ())
    mistakes.refuse()
    _check_lengths([text], settings, lambda _: ["text"])
    return Document("", text, until)


def _parse(body: bytes) -> Any:
    """Parse JSON, lone surrogates included: a text with lone surrogates is damaged, but its request is valid."""
    try:
        return json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RefusedError(400, "the body is not UTF-8", [{"loc": [], "msg": f"at byte {error.start}"}]) from None
    except json.JSONDecodeError as error:
        # `msg` is one of json's own phrases, never a piece of the body.
        message = f"{error.msg} at character {error.pos}"
        raise RefusedError(400, "the body is not JSON", [{"loc": [], "msg": message}]) from None
    except (ValueError, RecursionError):  # ValueError: more digits than Python converts to an integer
        raise RefusedError(
            400, "the body is not JSON", [{"loc": [], "msg": "numbers too long, or nested too deep"}]
        ) from None


def _too_many(place: list[str | int], message: str) -> RefusedError:
    return RefusedError(413, "too many documents", [{"loc": place, "msg": message}])


def _check_lengths(texts: Sequence[str], settings: ServeSettings, place: Any) -> None:
    long = [index for index, text in enumerate(texts) if len(text) > settings.characters]
    if long:
        message = f"is longer than {settings.characters} characters"
        detail = [{"loc": place(index), "msg": message} for index in long[:MOST_DETAILS]]
        raise RefusedError(413, "too large a text", detail)


class _Mistakes:
    """The mistakes found in a body."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, place: tuple[str | int, ...], message: str) -> None:
        if len(self.found) < MOST_DETAILS:
            self.found.append({"loc": list(place), "msg": message})

    def fields(self, value: Any, place: tuple[str | int, ...], names: tuple[str, ...]) -> dict[str, Any]:
        """Return the value as an object with exactly these fields, or an empty object if it is none."""
        if not isinstance(value, dict):
            self.add(place, "must be an object")
            return {}
        for name in names:
            if name not in value:
                self.add((*place, name), "is missing")
        if not value.keys() <= set(names):
            # The other names are not repeated: they come from the client.
            self.add(place, f"has other fields than {', '.join(names)}")
        return value

    def string(self, fields: dict[str, Any], name: str, place: tuple[str | int, ...]) -> str:
        value = fields.get(name)
        if isinstance(value, str):
            return value
        if name in fields:
            self.add((*place, name), "must be a string")
        return ""

    def refuse(self) -> None:
        if self.found:
            raise RefusedError(400, "the body does not have the form that is asked for", self.found)
