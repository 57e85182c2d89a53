"""The front passes requests on unchanged, one a connection, to the current server."""

import asyncio
import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from assay.deployment import front
from assay.deployment.identity import Identity, Server
from assay.deployment.route import FrontRecord, Route
from assay.deployment.target import History

SOAK_SECONDS = float(os.environ.get("ASSAY_SOAK_SECONDS", "60"))
"""Duration of the soak."""


class Upstream:
    """A server that answers with its name, keeps connections open if it may, and records the heads of requests."""

    def __init__(self, name: str) -> None:
        self.heads: list[dict[str, str]] = []
        self.go = threading.Event()
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                upstream.heads.append(dict(self.headers))
                if self.path == "/slow":
                    upstream.go.wait(30)
                data = json.dumps({"name": name, "bytes": len(body), "path": self.path}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def route(self, folder: Path) -> None:
        """Route requests to this server from now on."""
        Route(History(("v",)), Server(Identity.own(), "v", self.port, False, "ready")).write(folder)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    made = Upstream("old"), Upstream("new")
    yield made
    for each in made:
        with contextlib.suppress(OSError):
            each.close()


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[FrontRecord]:
    """The real front as a process."""
    command = [sys.executable, "-I", front.__file__, str(tmp_path), "127.0.0.1", str(port)]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 60
        while not (record := FrontRecord.read(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert record and record.process.pid == process.pid
        yield record
        process.terminate()


def post(port: int, path: str = "/score", body: bytes = b"words", **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_no_request_is_lost_while_servers_change_repeatedly(
    running: FrontRecord, upstreams: tuple[Upstream, Upstream], tmp_path: Path
) -> None:
    old, new = upstreams
    old.route(tmp_path)
    answers: list[Any] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(post(running.port))
            except Exception as error:
                answers.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        (old, new)[turn % 2].route(tmp_path)
        time.sleep(0.05)
    new.route(tmp_path)
    assert running.wait_left(old.port, 30)
    old.close()  # no request is under way to it
    time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join(60)

    assert len(answers) > 40
    assert [each for each in answers if isinstance(each, Exception) or each[0] != 200] == []
    assert {each[1]["name"] for each in answers} == {"old", "new"}
    assert answers[-1][1]["name"] == "new"


def test_a_server_counts_as_left_only_after_its_last_request(
    running: FrontRecord, upstreams: tuple[Upstream, Upstream], tmp_path: Path
) -> None:
    old, new = upstreams
    old.route(tmp_path)
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(post(running.port, "/slow")))
    slow.start()
    while not old.heads:
        time.sleep(0.01)
    new.route(tmp_path)

    assert post(running.port)[1]["name"] == "new"
    assert running.wait_left(old.port, 1.0) is False
    old.go.set()
    assert running.wait_left(old.port, 30) is True
    slow.join(60)
    assert answers == [(200, {"name": "old", "bytes": 5, "path": "/slow"})]


def test_a_connection_carries_one_request_and_everything_else_passes_unchanged(
    running: FrontRecord, upstreams: tuple[Upstream, Upstream], tmp_path: Path
) -> None:
    old, _ = upstreams
    old.route(tmp_path)
    body = os.urandom(3 * 2**20)

    assert post(running.port, body=body, Authorization="Bearer words", Connection="keep-alive")[1]["bytes"] == len(body)

    (head,) = old.heads
    assert (head["Connection"], head["Authorization"]) == ("close", "Bearer words")
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nConnec")
        time.sleep(0.2)  # a head may come in pieces
        client.sendall(b"tion: keep-alive\r\nContent-Length: 4\r\n\r\nfo")
        time.sleep(0.2)
        client.sendall(b"ur")
        received = b""
        while data := client.recv(65536):  # ends, although the client would have kept it
            received += data
    assert received.endswith(b'{"name": "old", "bytes": 4, "path": "/a"}')


def test_a_request_that_cannot_be_passed_on_is_refused(
    running: FrontRecord, upstreams: tuple[Upstream, Upstream], tmp_path: Path
) -> None:
    assert post(running.port) == (503, {"error": "nothing is served here at the moment", "detail": []})
    old, _ = upstreams
    old.route(tmp_path)
    old.close()
    assert post(running.port)[0] == 503, "a dead server is detected at once"
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (front.HEAD_BYTES + 10))
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")
    (tmp_path / front.ROUTE).write_text("{")
    assert post(running.port)[0] == 503


def test_a_request_whose_server_has_ended_goes_to_its_successor() -> None:
    """The front reads the route, the server ends, the connection is refused: the front reads the route again."""

    async def scene() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        with socket.socket() as gone:
            gone.bind(("127.0.0.1", 0))
            dead = gone.getsockname()[1]
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        alive = server.sockets[0].getsockname()[1]
        ports = iter([dead, alive])
        passing = await asyncio.start_server(front.Front(lambda: next(ports, alive)).serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", passing.sockets[0].getsockname()[1])
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        passing.close()
        server.close()
        return answer

    assert asyncio.run(scene()).startswith(b"HTTP/1.1 200 OK")


def test_a_process_is_identified_by_its_start_too() -> None:
    own = Identity.own()
    other = Identity(own.pid, own.started - 60)
    assert own.alive and not other.alive
    other.end(0.1)  # ends no process, least of all this one

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    import psutil

    known = Identity(child.pid, psutil.Process(child.pid).create_time())
    assert known.alive
    child.kill()
    deadline = time.monotonic() + 30
    while known.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not known.alive, "a process that nobody has waited for is dead, too"
    child.wait()


def scene(act: Any, *, most: int = 10) -> Any:
    """Run `act(port, ends)` against a front whose server answers nothing. `ends` gets an item when a connection to that
    server ends."""

    async def run() -> Any:
        ends: asyncio.Queue[str] = asyncio.Queue()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while await reader.read(65536):
                    pass
            ends.put_nowait("ended")
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        passing = front.Front(lambda: server.sockets[0].getsockname()[1], most)
        public = await asyncio.start_server(passing.serve, "127.0.0.1", 0, limit=front.HEAD_BYTES)
        try:
            return await asyncio.wait_for(act(public.sockets[0].getsockname()[1], ends), 30)
        finally:
            public.close()
            server.close()

    return asyncio.run(run())


def test_a_client_that_hangs_up_ends_its_connection_to_the_server() -> None:
    async def act(port: int, ends: "asyncio.Queue[str]") -> None:
        for sent in (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal", b"GET / HTTP/1.1\r\n\r\n"):
            for way in ("close", "abort"):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(sent)
                await writer.drain()
                await asyncio.sleep(0.1)
                assert ends.empty()
                writer.close() if way == "close" else writer.transport.abort()
                assert await ends.get() == "ended"

    scene(act)


def test_too_many_connections_end_the_one_that_has_waited_longest_for_its_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(front, "HEAD_SECONDS", 2.0)

    async def act(port: int, _: object) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(9)]
        await asyncio.sleep(0.1)
        working = await asyncio.open_connection("127.0.0.1", port)
        working[1].write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.1)
        another = await asyncio.open_connection("127.0.0.1", port)
        another[1].write(b"GET / HTTP/1.1\r\n\r\n")
        assert await silent[0][0].read() == b""
        assert not silent[1][0].at_eof(), "it is the first that ends"
        for reader, _ in silent[1:]:
            assert await reader.read() == b"", "their time for a head is over"
        many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        for _, writer in many:
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.1)
        refused = await asyncio.open_connection("127.0.0.1", port)
        assert (await refused[0].read()).startswith(b"HTTP/1.1 503 "), "all others have a request under way"
        for _, writer in (working, another, *many, refused):
            writer.transport.abort()

    scene(act)


def test_a_refusal_of_the_front_reaches_a_client_that_still_sends(running: FrontRecord) -> None:
    for _ in range(5):
        assert post(running.port, body=bytes(3 * 2**20))[0] == 503


def test_the_front_may_open_as_many_files_as_the_system_allows(running: FrontRecord) -> None:
    import psutil

    soft, hard = psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.full
def test_the_memory_of_the_front_is_flat_under_many_short_connections(
    running: FrontRecord, upstreams: tuple[Upstream, Upstream], tmp_path: Path
) -> None:
    """Complete requests, and clients that hang up after nothing, after half a head and after half a body."""
    import psutil

    old, _ = upstreams
    old.route(tmp_path)
    process, sizes, sent = psutil.Process(running.process.pid), [], 0
    deadline = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < deadline:
        assert post(running.port)[0] == 200
        for start in (b"", b"POST /score HT", b"POST /score HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal"):
            with socket.create_connection(("127.0.0.1", running.port), timeout=60) as client:
                client.sendall(start)
        sent += 4
        if sent % 400 == 0:
            sizes.append(process.memory_info().rss / 2**20)
            old.heads.clear()
    settled = sizes[len(sizes) // 3]
    print(
        f"{sent} connections: {sizes[0]:.1f} MiB after the first 400, {settled:.1f} after a third, {sizes[-1]:.1f} last"
    )
    assert max(sizes[len(sizes) // 3 :]) < settled + 2
    deadline = time.monotonic() + 10
    while process.num_fds() > 30 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.num_fds() <= 30, "all are closed"
