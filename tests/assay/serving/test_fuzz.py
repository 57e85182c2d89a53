"""No body makes the server fail: neither cases from its own OpenAPI, valid and not, nor random changes of good ones."""

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from assay.serving import ServerProcess

LONG = "plants turn light into sugar " * 40
SEEDS = [
    ("/score", {"documents": [{"id": "a", "text": "Plants turn light into sugar."}, {"id": "b", "text": ""}]}),
    ("/score", {"documents": [{"id": "\ud800", "text": "\udfff\x00 odd"}, {"id": "é日本🌱", "text": LONG}]}),
    ("/explain", {"text": "One text, with windows. " * 20}),
]
ODD = [None, True, -1, 0.5, 10**30, 1e308, "", "\ud800", "\x00", [], {}, [[]], {"id": {}}, "x" * 3000]
STATUSES = {200, 400, 413}
CONFIGURATION = """
[checks.negative_data_rejection]
# A list or a text that is too long is answered 413, which is not among those expected by default.
expected-statuses = [400, 401, 404, 405, 413, 415]
"""


def changed(value: Any, chance: random.Random) -> Any:
    """Return a JSON value with one place changed."""
    if isinstance(value, dict) and value and chance.random() < 0.7:
        key = chance.choice(list(value))
        what = chance.random()
        if what < 0.2:
            return {other: inner for other, inner in value.items() if other != key}
        if what < 0.3:
            return {**value, chance.choice(["id", "text", "documents", "x"]): chance.choice(ODD)}
        return {**value, key: changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], changed(value[at], chance), *value[at + chance.randrange(2) :]]
    return chance.choice(ODD)


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few of them replaced, removed, doubled or inserted."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = start + chance.choice([0, 1, 1, 2, 40])
        data[start:end] = chance.choice(
            [
                b"",
                chance.randbytes(1),
                chance.randbytes(8),
                bytes(data[start:end]) * 2,
                b'"',
                b"\\",
                b"\\ud800",
                b"[" * 99,
            ]
        )
    return bytes(data)


def bodies(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(seed)
    for _ in range(count):
        path, value = chance.choice(SEEDS)
        kind = chance.random()
        if kind < 0.1:
            yield path, chance.randbytes(chance.randrange(300))
        elif kind < 0.55:
            for _ in range(chance.randint(1, 3)):
                value = changed(value, chance)
            yield path, json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        else:
            yield path, damaged(json.dumps(value).encode(), chance)


def send(server: ServerProcess, token: str, count: int, seed: int) -> set[int]:
    """Send bodies over one connection, and return the statuses of the answers."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    statuses = set()
    for path, body in bodies(count, seed):
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        content = response.read()
        assert response.status in STATUSES, (response.status, content, body)
        assert json.loads(content) is not None
        statuses.add(response.status)
    connection.close()
    return statuses


def schemathesis(server: ServerProcess, token: str, count: int, folder: Path) -> None:
    """Run schemathesis with all its checks and `count` cases for each operation of the service's own OpenAPI."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/docs.json", "--checks", "all"]
    command += ["--header", f"Authorization: Bearer {token}", "--max-examples", str(count), "--seed", "1"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800)
    assert run.returncode == 0, f"{run.stdout[:3000]} … {run.stdout[-3000:]}{run.stderr[-2000:]}"


def sent(server: ServerProcess, token: str) -> dict[str, float]:
    """Return the number of bodies sent so far, by the status of the answer."""
    counts: dict[str, float] = {}
    for line in server.ask("/metrics", token=token)[1].splitlines():
        if line.startswith(('assay_requests_total{route="/score"', 'assay_requests_total{route="/explain"')):
            name, _, value = line.rpartition(" ")
            status = name.split('status="')[1][:3]
            counts[status] = counts.get(status, 0) + float(value)
    return counts


@pytest.mark.full
@pytest.mark.parametrize(("examples", "mutated", "least"), [(1_200, 9_000, 10_000)], ids=["10000"])
def test_no_body_makes_the_server_fail(
    server: ServerProcess, keys: Any, tmp_path: Path, examples: int, mutated: int, least: int
) -> None:
    before = sent(server, keys.metrics)

    schemathesis(server, keys.given, examples, tmp_path)
    assert send(server, keys.given, mutated, seed=examples) == STATUSES - {413}

    counts = {status: count - before.get(status, 0) for status, count in sent(server, keys.metrics).items()}
    assert sum(counts.values()) >= least
    assert not {status for status in counts if status.startswith("5") and counts[status]}
    assert "error on" not in server.log
    assert "Traceback" not in server.log
    assert server.ask("/readyz")[0] == 200


def worker(server: ServerProcess) -> psutil.Process:
    """Return the worker process."""
    for process in psutil.Process().children(recursive=True):
        command = " ".join(process.cmdline())
        if "_bentoml_impl.worker.service" in command and str(server.bento.path) in command:
            return process
    raise AssertionError("no worker")


@pytest.mark.full
def test_memory_does_not_grow_with_the_number_of_requests(server: ServerProcess, keys: Any) -> None:
    process = worker(server)
    used = []
    for round in range(4):
        send(server, keys.given, 2_500, seed=round)
        # BentoML keeps a timer of 5 kB for every request until its own timeout, 5 seconds above ours.
        time.sleep(14)
        used.append(process.memory_info().rss / 2**20)

    assert used[3] - used[1] < 10, f"MiB after each 2,500 requests: {used}"
