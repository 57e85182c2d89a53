"""A local HTTP server in the place of Vertex AI. A test plans how it misbehaves.

It has models, endpoints with etags, traffic splits, and operations that take a few looks. Predictions are answered by
the registered models themselves, and their bodies are read by the parser of the service.
"""

import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from assay.inference import Scorer, assess
from assay.serving.documents import RefusedError, parse_instances
from assay.serving.settings import ServeSettings

PARENT = "projects/my-project/locations/europe-west4"


@dataclass
class VertexStandIn:
    """What happens next, and what has happened."""

    registry: str
    looks: int = 1
    """Looks until an operation is done."""
    faults: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    """Method and end of the path, such as `POST :deployModel` -> answers (status, code, message) before real ones."""
    fails: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Verb, such as deployModel -> code and message with which its operation fails; code -1: it never ends."""
    wrong: str = ""
    """Version whose answers are off by half a label, on the endpoint named in `wrong_at`."""
    wrong_at: str = ""
    token: str = "a-token"
    calls: list[tuple[str, Any]] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    operations: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)
    splits: list[dict[str, int]] = field(default_factory=list)
    """Traffic splits that were set, in order."""

    def __post_init__(self) -> None:
        owner = self
        self._lock = threading.Lock()
        self._random = random.Random(7)
        self._scorers: dict[str, Scorer] = {}

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"null")
                with owner._lock:
                    status, content = owner.answer(self.command, self.path, body, self.headers.get("Authorization"))
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, call: str) -> int:
        return Counter(name for name, _ in self.calls)[call]

    def last(self, call: str) -> Any:
        return [body for name, body in self.calls if name == call][-1]

    def answer(self, method: str, target: str, body: Any, authorization: str | None) -> tuple[int, Any]:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix("/v1/"), {name: each[0] for name, each in parse_qs(parts.query).items()}
        kind = re.sub(r"^projects/[^/]+/locations/[^/]+/", "", path)
        call = f"{method} {kind}"
        self.calls.append((call, body))
        for name, answers in self.faults.items():
            if answers and call.startswith(name.split()[0]) and call.endswith(name.split()[1]):
                status, code, message = answers.pop(0)
                return status, {"error": {"code": status, "status": code, "message": message}}
        if authorization != f"Bearer {self.token}":
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials")
        if not path.startswith(PARENT):
            return error(403, "PERMISSION_DENIED", f"Permission denied on resource {path} (or it may not exist)")
        room, _, rest = kind.partition("/")
        if room == "operations":
            return self._operation(path)
        if room == "models:upload":
            return self._begin("upload", lambda: self._upload(body))
        if room == "customJobs":
            return self._job(method, rest, body)
        if method == "POST" and room == "endpoints" and not rest:
            return self._create(query["endpointId"], body)
        name, _, verb = rest.partition(":")
        shelf = self.models if room == "models" else self.endpoints
        if name not in shelf:
            return error(404, "NOT_FOUND", f"{room} {name} is not found")
        if method == "GET":
            return 200, shelf[name]
        if method == "DELETE":
            if shelf[name]["deployedModels"]:
                return error(400, "FAILED_PRECONDITION", "The endpoint has deployed models")
            return self._begin("delete", lambda: shelf.pop(name))
        if method == "PATCH":
            return self._patch(shelf[name], body)
        return getattr(self, f"_{verb.lower()}")(name, body)

    def _begin(self, verb: str, act: Any) -> tuple[int, Any]:
        name = f"{PARENT}/operations/{len(self.operations)}"
        self.operations[name] = [self.looks, verb, act]
        return 200, {"name": name}

    def _operation(self, name: str) -> tuple[int, Any]:
        left, verb, act = self.operations[name]
        code, message = self.fails.get(verb, (0, ""))
        if left > 0 or code == -1:
            self.operations[name][0] -= 1
            return 200, {"name": name}
        if code:
            return 200, {"name": name, "done": True, "error": {"code": code, "message": message}}
        if act is not None:
            act()
            self.operations[name][2] = None
        return 200, {"name": name, "done": True, "response": {}}

    def _upload(self, body: Any) -> None:
        self.models[body["modelId"]] = {"name": f"{PARENT}/models/{body['modelId']}", **body["model"]}

    def _create(self, name: str, body: Any) -> tuple[int, Any]:
        if name in self.endpoints:
            return error(409, "ALREADY_EXISTS", "The endpoint exists")
        made = {**body, "name": f"{PARENT}/endpoints/{name}", "etag": "0", "deployedModels": [], "trafficSplit": {}}
        return self._begin("create", lambda: self.endpoints.setdefault(name, made))

    def _deploymodel(self, name: str, body: Any) -> tuple[int, Any]:
        endpoint, deployed = self.endpoints[name], body["deployedModel"]
        assert deployed["model"].rpartition("/")[2] in self.models
        if any(each["id"] == deployed["id"] for each in endpoint["deployedModels"]):
            return error(409, "ALREADY_EXISTS", "The deployed model exists")

        def done() -> None:
            endpoint["deployedModels"].append(deployed)
            if split := body.get("trafficSplit"):
                self._split(endpoint, {deployed["id"] if id == "0" else id: share for id, share in split.items()})

        return self._begin("deployModel", done)

    def _undeploymodel(self, name: str, body: Any) -> tuple[int, Any]:
        endpoint, id = self.endpoints[name], body["deployedModelId"]
        others = [each for each in endpoint["deployedModels"] if each["id"] != id]
        if endpoint["trafficSplit"].get(id) and others:
            return error(400, "FAILED_PRECONDITION", "The deployed model has traffic")

        def done() -> None:
            endpoint["deployedModels"] = others
            endpoint["trafficSplit"].pop(id, None)
            endpoint["etag"] += "u"

        return self._begin("undeployModel", done)

    def _patch(self, endpoint: Any, body: Any) -> tuple[int, Any]:
        if body["etag"] != endpoint["etag"]:
            return error(409, "ABORTED", "The etag is not the current one")
        endpoint["labels"] = body["labels"]
        self._split(endpoint, body["trafficSplit"])
        return 200, endpoint

    def _split(self, endpoint: Any, split: dict[str, int]) -> None:
        there = {each["id"] for each in endpoint["deployedModels"]}
        assert sum(split.values()) == 100 and set(split) <= there, (split, there)
        endpoint["trafficSplit"] = dict(split)
        endpoint["etag"] += "p"
        self.splits.append(dict(split))

    def _predict(self, name: str, body: Any) -> tuple[int, Any]:
        endpoint = self.endpoints[name]
        shares = {id: share for id, share in endpoint["trafficSplit"].items() if share}
        id = self._random.choices(list(shares), list(shares.values()))[0]
        deployed = next(each for each in endpoint["deployedModels"] if each["id"] == id)
        model = self.models[deployed["model"].rpartition("/")[2]]
        version = next(each["value"] for each in model["containerSpec"]["env"] if each["name"] == "ASSAY_MODEL_VERSION")
        try:
            documents = parse_instances(
                json.dumps(body).encode(), ServeSettings(platform="vertex"), time.monotonic() + 60
            )
        except RefusedError as refusal:
            return error(refusal.status, "INVALID_ARGUMENT", refusal.error)
        if version not in self._scorers:
            self._scorers[version] = Scorer.load(Path(self.registry) / "versions" / version / "model")
        scorer = self._scorers[version]
        off = 0.5 if version == self.wrong and name == self.wrong_at else 0.0
        scores = assess(scorer, [document.text for document in documents]).score
        predictions = [
            {"id": document.id, "score": float(score) + off, "model": {"version": version}}
            for document, score in zip(documents, scores, strict=True)
        ]
        return 200, {"predictions": predictions, "deployedModelId": id}

    def _job(self, method: str, name: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            name = str(len(self.jobs))
            self.jobs[name] = {**body, "name": f"{PARENT}/customJobs/{name}", "state": "JOB_STATE_PENDING"}
            return 200, self.jobs[name]
        job = self.jobs[name]
        code, message = self.fails.get("job", (0, ""))
        if code:
            return 200, {**job, "state": "JOB_STATE_FAILED", "error": {"code": code, "message": message}}
        return 200, {**job, "state": "JOB_STATE_SUCCEEDED"}


def error(status: int, code: str, message: str) -> tuple[int, Any]:
    return status, {"error": {"code": status, "status": code, "message": message}}
