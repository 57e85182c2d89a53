"""A model that is slow, fails, or must end: a Bento whose model a test holds and releases."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from assay.serving import ServerProcess

MARKER = "Xyzzy-4711-Plugh"
PATIENCE = 60
"""Seconds until a test fails. No test asserts a duration."""

SOAK_SECONDS = float(os.environ.get("ASSAY_SOAK_SECONDS", "120"))
"""Duration of the soak."""


def document(text: str, id: str = "a") -> dict:
    return {"documents": [{"id": id, "text": text}]}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def held(ask: Callable, pool: ThreadPoolExecutor, gate: Path, metric: Callable) -> Future:
    """Send a request that the model works on until the file `gate` exists."""
    sent = pool.submit(ask, "/score", document(f"HOLD {gate}"))
    until(lambda: metric("assay_requests_in_work") == 1)
    return sent


def test_waiting_requests_are_merged_and_each_gets_its_own_answer(
    server: ServerProcess, ask: Callable, metric: Callable, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    texts = [f"These are {n} words about plants and light." for n in range(20)]
    with ThreadPoolExecutor(24) as pool:
        alone = {text: ask("/score", document(text))[1][0]["score"] for text in texts}
        batches = metric("assay_batch_documents_count")
        first = held(ask, pool, gate, metric)
        others = [pool.submit(ask, "/score", document(text, text)) for text in texts]
        until(lambda: metric("assay_requests_in_work") == 21)
        gate.touch()
        answers = [other.result() for other in others]
        assert first.result()[0] == 200

    assert [status for status, _ in answers] == [200] * 20
    assert [answer["id"] for _, (answer,) in answers] == texts
    for text, (_, (answer,)) in zip(texts, answers, strict=True):
        assert answer["score"] == pytest.approx(alone[text], abs=1e-5)
    assert metric("assay_batch_documents_count") - batches < 21, "waiting documents are scored together"


def unfinished(server: ServerProcess, keys: Any, path: str = "/score") -> http.client.HTTPConnection:
    """Send the head of a request, and the beginning of its body."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    connection.putrequest("POST", path)
    connection.putheader("Authorization", f"Bearer {keys.given}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"documents": [')
    return connection


def test_requests_beyond_the_limit_get_429_and_those_beyond_their_time_get_504(
    server: ServerProcess, ask: Callable, metric: Callable, keys: Any, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    with ThreadPoolExecutor(40) as pool:
        first = held(ask, pool, gate, metric)
        documents = metric("assay_documents_total")
        explained = [pool.submit(ask, "/explain", {"text": "never scored"}) for _ in range(6)]
        until(lambda: sum(each.done() for each in explained) == 2)
        assert [each.result()[0] for each in explained if each.done()] == [429, 429], "one place in eight is theirs"
        behind = [pool.submit(ask, "/score", document("never scored")) for _ in range(27)]
        until(lambda: metric("assay_requests_in_work") == 32)

        connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        connection.request("POST", "/score", b"", {"Authorization": f"Bearer {keys.given}"})
        refused = connection.getresponse()
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert json.loads(refused.read())["detail"] == []
        assert server.ask("/readyz")[0] == 200, "probes are always answered"

        status, answer = behind[0].result()
        assert (status, "8 seconds" in answer["error"]) == (504, True)
        assert {each.result()[0] for each in (first, *behind)} == {504}
        assert sorted(each.result()[0] for each in explained) == [429, 429, 504, 504, 504, 504]
        gate.touch()

    until(lambda: metric("assay_requests_in_work") == 0)
    assert ask("/score", document("good"))[0] == 200
    assert metric("assay_documents_total") - documents <= 2, "documents whose clients were answered are not scored"


@pytest.mark.full
def test_bodies_that_never_come_hold_no_place_and_are_ended(server: ServerProcess, ask: Callable, keys: Any) -> None:
    slow = [unfinished(server, keys) for _ in range(100)]

    started = time.monotonic()
    assert ask("/score", document("good"))[0] == 200, "as many as there are places, three times over"
    assert time.monotonic() - started < 4, "nobody waits for them"
    answers = [connection.getresponse() for connection in slow]

    assert {(answer.status, answer.headers["Connection"]) for answer in answers} == {(408, "close")}
    for connection in slow:
        connection.close()


def test_clients_that_hang_up_give_their_places_back(
    server: ServerProcess, ask: Callable, metric: Callable, keys: Any, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    with ThreadPoolExecutor(1) as pool:
        first = held(ask, pool, gate, metric)
        documents = metric("assay_documents_total")
        waiting = []
        for path, content in (("/score", document("nobody waits")), ("/explain", {"text": "nobody waits"})) * 3:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
            connection.request("POST", path, json.dumps(content), {"Authorization": f"Bearer {keys.given}"})
            waiting.append(connection)
        until(lambda: metric("assay_requests_in_work") == 7)
        for connection in waiting:
            connection.close()
        until(lambda: metric("assay_requests_in_work") == 1)
        gate.touch()
        assert first.result()[0] == 200

    assert ask("/score", document("good"))[0] == 200
    assert metric("assay_documents_total") - documents == 2, "what nobody waits for is not scored"
    assert metric('assay_requests_total{route="/score",status="499"}') >= 3


def test_a_refusal_reaches_a_client_that_still_sends(server: ServerProcess, keys: Any) -> None:
    for _ in range(5):
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as client:
            size = 3 * 8 * 2**20
            client.sendall(
                b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (keys.given.encode(), size)
            )
            for _ in range(24):
                client.sendall(b" " * 2**20)  # as http.client does: all of the body, and only then the answer
            received = b""
            while data := client.recv(65536):
                received += data
        assert received.startswith(b"HTTP/1.1 413 ")


def test_probes_are_answered_while_the_largest_body_is_parsed(server: ServerProcess, keys: Any) -> None:
    body = b"[" + b",".join([b"[]"] * (8 * 2**20 // 3 - 1)) + b"]"

    def send(_: int) -> int:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        connection.request("POST", "/score", body, {"Authorization": f"Bearer {keys.given}"})
        return connection.getresponse().status

    slowest = 0.0
    with ThreadPoolExecutor(3) as pool:
        sent = [pool.submit(send, number) for number in range(3)]
        while not all(each.done() for each in sent):
            started = time.monotonic()
            assert server.ask("/livez")[0] == 200
            slowest = max(slowest, time.monotonic() - started)
    assert {each.result() for each in sent} <= {400, 504}
    # A probe of Kubernetes waits for 5 s, and six of them in a row end a pod. It took 6 s each before.
    assert slowest < 5


@pytest.mark.full
def test_memory_is_flat_under_many_short_connections(server: ServerProcess, ask: Callable, keys: Any) -> None:
    """Scores, refusals, and clients that hang up half way, each on a connection of its own."""
    (process,) = [each for each in psutil.Process().children(recursive=True) if runs(each, "worker.service")]
    sizes: list[float] = []
    sent, deadline = 0, time.monotonic() + SOAK_SECONDS
    while time.monotonic() < deadline:
        assert ask("/score", document("These are some words about plants and light."))[0] == 200
        assert server.ask("/score", document("no token"))[0] == 401
        assert ask("/score", {"documents": "no list"})[0] == 400
        unfinished(server, keys).close()
        sent += 4
        if sent % 400 == 0:
            sizes.append(process.memory_info().rss / 2**20)
    settled = sizes[len(sizes) // 2]
    print(
        f"{sent} connections: {sizes[0]:.0f} MiB after the first 400, {settled:.0f} at half time, {sizes[-1]:.0f} last"
    )
    # Caches of the allocator grow in the first minute; a leak of 1 KiB a connection would show as megabytes.
    assert max(sizes[len(sizes) // 2 :]) < settled * 1.02 + 4


def test_an_error_of_the_model_gives_500_and_no_text_is_logged(server: ServerProcess, ask: Callable) -> None:
    several = {"documents": [{"id": "a", "text": f"RAISE {MARKER}"}, {"id": "b", "text": f"RAISE {MARKER} too"}]}

    for path, content in (("/score", several), ("/explain", {"text": f"RAISE {MARKER}"})):
        status, answer = ask(path, content)
        assert (status, answer["detail"]) == (500, [])
        assert MARKER not in json.dumps(answer)

    assert ask("/score", document("good"))[0] == 200
    assert "RuntimeError at assess.py:" in server.log
    assert MARKER not in server.log
    assert "cannot work on" not in server.log


@pytest.mark.full
def test_a_server_that_is_stopped_completes_its_requests(
    server: ServerProcess, ask: Callable, metric: Callable, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    family = [each for each in psutil.Process().children(recursive=True) if runs(each, str(server.bento.path))]
    (worker,) = [each for each in family if runs(each, "_bentoml_impl.worker.service")]
    with ThreadPoolExecutor(1) as pool:
        waiting = held(ask, pool, gate, metric)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(lambda: not any(each.status == psutil.CONN_LISTEN for each in worker.net_connections()))
        assert not waiting.done()
        gate.touch()
        status, (answer,) = waiting.result()
        stopping.join(PATIENCE)

    assert (status, answer["id"]) == (200, "a")
    assert len(family) == 2
    assert not any(process.is_running() for process in family)


def runs(process: psutil.Process, word: str) -> bool:
    return any(word in part for part in process.cmdline())
