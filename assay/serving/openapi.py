"""OpenAPI 3.1 description of the service. BentoML's own description has neither refusals nor limits."""

from typing import Any

from assay.serving.documents import ID_CHARACTERS
from assay.serving.settings import ServeSettings

JSON = dict[str, Any]
MIX = "where as many do as among the calibration documents"
"""The population of p_keep."""


def describe(settings: ServeSettings, version: str, *, tokens: bool) -> JSON:
    """Return the description of a server with these settings. `tokens`: the server requires a token."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Assay: document quality",
            "version": version,
            "description": "Scores documents by the rubric of one model. Errors name places in the body, never text.",
        },
        "paths": {
            "/score": {
                "post": _operation(
                    settings,
                    "score",
                    "Scores of documents, in their order",
                    _ref("Documents"),
                    {"type": "array", "items": _ref("Answer")},
                )
            },
            "/explain": {
                "post": _operation(
                    settings,
                    "explain",
                    "The score of one text, and the windows that made it",
                    _ref("Text"),
                    _ref("Explanation"),
                )
            },
            **_pages(settings),
        },
        "components": {
            "schemas": _schemas(settings),
            **({"securitySchemes": _schemes()} if tokens else {}),
        },
        **({"security": [{"bearer": []}, {"basic": []}]} if tokens else {}),
    }


def _ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: JSON) -> JSON:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals(settings: ServeSettings) -> dict[str, JSON]:
    retry = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    meaning = {
        "400": "Not JSON, or not of the form that is asked for",
        "401": "No valid token",
        "408": f"The body did not arrive within {settings.body_seconds:g} seconds",
        "413": f"More than {settings.body_bytes} bytes, too many documents, or too long a text",
        "415": "Not application/json, or of a content encoding besides gzip",
        "429": "Too much is being worked on",
        "500": "An error of the server",
        "503": "The model is not ready",
        "504": f"Not done within {settings.seconds:g} seconds",
    }
    responses = {status: _json(description, _ref("Error")) for status, description in meaning.items()}
    for status in ("429", "503"):
        responses[status]["headers"] = retry
    return responses


def _operation(settings: ServeSettings, name: str, summary: str, body: JSON, answer: JSON) -> JSON:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": _json("Answered", answer), **_refusals(settings)},
    }


def _pages(settings: ServeSettings) -> JSON:
    refusals = _refusals(settings)
    # /readyz answers 503 with the state, not with an error.
    state = _object({"state": {"enum": ["loading", "ready", "failed"]}, "version": {"type": "string"}})
    refusals["503"]["content"]["application/json"]["schema"] = state

    def page(name: str, summary: str, content: JSON, *others: str, open: bool = False) -> JSON:
        responses = {"200": {"description": summary, "content": content}}
        responses |= {status: refusals[status] for status in (*others, *(() if open else ("401",)))}
        return {"get": {"operationId": name, "summary": summary, "responses": responses, **_open(open)}}

    text = {"schema": {"type": "string"}}
    as_json = {"application/json": {"schema": state}}
    pages = {
        "/": page("page", "A page to try a text on", {"text/html": text}),
        "/docs.json": page("docs", "This description", {"application/json": {"schema": {"type": "object"}}}),
        "/livez": page("livez", "The process lives", as_json, open=True),
        "/healthz": page("healthz", "The same", as_json, open=True),
        "/readyz": page("readyz", "The golden documents have passed", as_json, "503", open=True),
    }
    if settings.metrics != "closed":
        metrics = page("metrics", "For Prometheus", {"text/plain": text}, open=settings.metrics == "open")
        pages["/metrics"] = metrics
    return pages


def _open(is_open: bool) -> JSON:
    return {"security": []} if is_open else {}


def _schemes() -> JSON:
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The token is the password, under any user name."},
    }


def _object(properties: JSON, *, closed: bool = True, optional: JSON | None = None) -> JSON:
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        **({"additionalProperties": False} if closed else {}),
    }


def _schemas(settings: ServeSettings) -> JSON:
    text = {"type": "string", "maxLength": settings.characters}
    number = {"type": ["number", "null"]}
    meaning: JSON = {
        "score": number | {"description": "What the model says, raw"},
        "calibrated": number | {"description": "Expected label"},
        "p_keep": number
        | {"minimum": 0, "maximum": 1, "description": f"Probability that the label reaches the threshold, {MIX}"},
        "grade": {"type": ["integer", "null"], "description": "Whole number shown to people"},
        "keep": {"type": ["boolean", "null"], "description": "Whether the score reaches the cut at the threshold"},
    }
    figures: JSON = {
        **meaning,
        "tokens": {"type": "integer", "minimum": 0, "description": "Of the whole text; 0 if unscored"},
        "read": {"type": "number", "minimum": 0, "maximum": 1, "description": "Share of them that the model read"},
        "language": {"type": ["string", "null"], "description": "ISO 639, of the text's beginning"},
        "in_scope": {"type": "boolean", "description": "Not, beyond doubt, in a language the model was not made for"},
        "reason": {"type": ["string", "null"], "description": "Why there is no score; then the figures are null"},
        "model": _object({"version": {"type": "string"}, "lineage": {"type": "object"}}),
    }
    further: JSON = {
        "rubrics": {
            "type": "object",
            "additionalProperties": _object(meaning),
            "description": "The same by each further rubric of the model; absent where it has one rubric",
        }
    }
    window = _object(
        {
            "start": {"type": "integer", "minimum": 0, "description": "First character (Unicode code point)"},
            "end": {"type": "integer", "minimum": 0, "description": "The one after the last"},
            "score": {"type": "number"},
        }
    )
    id = {"type": "string", "maxLength": ID_CHARACTERS, "description": "Comes back with the answer"}
    detail = _object(
        {"loc": {"type": "array", "items": {"type": ["string", "integer"]}}, "msg": {"type": "string"}},
    )
    document = _object({"id": id, "text": text})
    rubric = _object(
        {
            "name": {"type": "string"},
            "low": {"type": "number"},
            "high": {"type": "number"},
            "threshold": {"type": "number", "description": "Label from which a document is kept"},
            "keep_cut": number | {"description": "Score from which it is; null where nothing is"},
        }
    )
    return {
        "Documents": _object(
            {"documents": {"type": "array", "minItems": 1, "maxItems": settings.documents, "items": document}}
        ),
        "Text": _object({"text": text}),
        "Answer": _object({"id": {"type": "string"}, **figures}, optional=further),
        "Explanation": _object(
            {**figures, "rubric": rubric, "windows": {"type": "array", "items": window}}, optional=further
        ),
        "Error": _object({"error": {"type": "string"}, "detail": {"type": "array", "items": detail}}),
    }
