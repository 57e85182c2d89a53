"""The client against a small real server that refuses, breaks off and answers wrongly."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.client import AsyncClient, Batching, CallError, Client, Retries, SageMaker, Vertex
from assay.client.policy import retry_after
from assay.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
QUICK = Retries(tries=4, first=0.01, longest=0.3)


class Misbehaving:
    """Answers as planned, one plan a request, then well."""

    def __init__(self) -> None:
        self.plans: list[Any] = []
        self.bodies: list[Any] = []
        self.heads: list[dict[str, str]] = []
        self.paths: list[str] = []
        lock, server = threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    plan = server.plans.pop(0) if server.plans else None
                    server.bodies.append(body)
                    server.heads.append({name.lower(): value for name, value in self.headers.items()})
                    server.paths.append(self.path)
                if plan == "drop":
                    self.close_connection = True
                    self.connection.close()
                    return
                given = body.get("documents", body.get("instances"))
                status, content, headers = 200, [{"id": each["id"], "score": 1.0} for each in given], {}
                if plan == "shuffled":
                    content = content[::-1]
                elif plan:
                    status, headers = plan
                    content = {"error": "as planned", "detail": []}
                elif "instances" in body:
                    content = {"predictions": content}
                data = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def service() -> Iterator[Misbehaving]:
    made = Misbehaving()
    yield made
    made.server.shutdown()
    made.server.server_close()


def score(service: Misbehaving, how: str, documents: list, **settings: Any) -> list[dict]:
    given = {"retries": QUICK, "token": "token-of-the-service", **settings}
    if how == "sync":
        with Client(service.url, **given) as client:
            return client.score(documents)

    async def call() -> list[dict]:
        async with AsyncClient(service.url, **given) as client:
            return await client.score(documents)

    return asyncio.run(call())


both = pytest.mark.parametrize("how", ["sync", "async"])


@both
def test_answers_come_in_order_from_requests_within_the_limits(service: Misbehaving, how: str) -> None:
    documents = ["x" * 100, {"id": "b", "text": "y"}, *("z" * 60 for _ in range(8))]

    answers = score(service, how, documents, batching=Batching(documents=3, body_bytes=250))

    assert [answer["id"] for answer in answers] == ["0", "b", *map(str, range(2, 10))]
    assert all(len(body["documents"]) <= 3 and len(json.dumps(body)) <= 250 for body in service.bodies)
    assert {head["authorization"] for head in service.heads} == {"Bearer token-of-the-service"}


@both
def test_refusals_and_broken_connections_are_tried_again(service: Misbehaving, how: str) -> None:
    service.plans = [(429, {"Retry-After": "0"}), "drop", (503, {})]

    assert score(service, how, ["a"])[0]["id"] == "0"

    assert len(service.bodies) == 4


@both
@pytest.mark.parametrize(
    ("plans", "status", "tries"),
    [
        ([(401, {})], 401, 1),
        ([(413, {})], 413, 1),
        ([(503, {})] * 9, 503, 4),
        (["drop"] * 9, 0, 4),
        ([(429, {"Retry-After": "60"})], 429, 1),
        (["shuffled"], 200, 1),
    ],
)
def test_one_error_says_what_failed(service: Misbehaving, how: str, plans: list, status: int, tries: int) -> None:
    service.plans = list(plans)

    with pytest.raises(CallError) as failed:
        score(service, how, ["a", "b"])

    assert (failed.value.status, failed.value.tries, len(service.bodies)) == (status, tries, tries)
    assert service.url in str(failed.value)


def test_a_pause_is_never_shorter_than_retry_after() -> None:
    pauses = [Retries().pause(1, 2.0) for _ in range(200)]

    assert all(pause is not None and 2 <= pause <= 3 for pause in pauses)
    assert len(set(pauses)) > 100, "clients refused together do not come back together"
    assert retry_after("Fri, 01 Jan 2100 00:00:00 GMT") > 1e6
    assert retry_after("Fri, 01 Jan 2010 00:00:00 GMT") == 0
    assert retry_after("soon") is None


def test_vertex_sends_instances_with_a_google_token(service: Misbehaving) -> None:
    service.plans = [(429, {})]
    place = Vertex("projects/p/locations/r/endpoints/7", "r", api=service.url, credentials=lambda: "google")

    with Client(place, retries=QUICK) as client:
        assert [answer["id"] for answer in client.score(["a", "b"])] == ["0", "1"]

    assert service.paths[-1] == "/v1/projects/p/locations/r/endpoints/7:predict"
    assert service.heads[-1]["authorization"] == "Bearer google"
    assert list(service.bodies[-1]) == ["instances"]


def test_sagemaker_sends_the_body_of_the_service(service: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    service.plans = [(503, {})]

    with Client(SageMaker("quality", "eu-west-1", url=service.url), retries=QUICK) as client:
        assert [answer["id"] for answer in client.score(["a"])] == ["0"]

    assert service.paths[-1] == "/endpoints/quality/invocations"
    assert list(service.bodies[-1]) == ["documents"]


def test_bad_input_is_refused_before_any_request(service: Misbehaving) -> None:
    with pytest.raises(InputError, match="no URL of a service"):
        Client("localhost:3000")
    with pytest.raises(InputError, match=r"document 1"):
        score(service, "sync", ["a", {"id": 7, "text": "b"}])
    assert service.bodies == []


def test_the_import_is_light() -> None:
    heavy = ("torch", "transformers", "boto3", "google.auth", "pandas", "numpy", "bentoml")
    code = f"import sys, assay.client; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr
