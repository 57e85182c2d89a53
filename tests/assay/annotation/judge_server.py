"""A server that speaks the chat-completions protocol on a real socket, and misbehaves as it is told."""

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DOCUMENT = re.compile(r"\A<document ([0-9a-f]+)>\n(.*)\n</document \1>\n\nThe JSON object:\Z", re.DOTALL)


@dataclass
class Reply:
    """One reply of the server."""

    status: int = 200
    body: Any = None
    """JSON, or bytes as they are sent."""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection in the middle of the body."""
    delay: float = 0.0


def completion(
    content: str | None, *, finish: str = "stop", refusal: str | None = None, **other: Any
) -> dict[str, Any]:
    """Return the body of a chat completion."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    usage = {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in-0",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
        **other,
    }


def judged(score: Any = 3, reason: str = "clear") -> Reply:
    """Return a valid judgement."""
    return Reply(body=completion(json.dumps({"reason": reason, "score": score})))


def document_of(body: dict[str, Any]) -> str:
    """Return the document between its marks; fails if anything else is in the message."""
    found = DOCUMENT.match(body["messages"][1]["content"])
    assert found is not None
    assert found.group(1) not in found.group(2)
    return found.group(2)


def by_length(body: dict[str, Any]) -> int:
    """Return a score that depends on the document alone."""
    return len(document_of(body)) % 6


class JudgeServer:
    """The server. `behave` returns the reply to a request and the number of the request about this document."""

    def __init__(self, behave: Callable[[dict[str, Any], int], Reply]) -> None:
        self.behave = behave
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.answered: Counter[str] = Counter()
        """Replies of status 200 that were sent whole, by document."""
        self.seen: Counter[str] = Counter()
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.path == "/v1/chat/completions"
                text = body["messages"][1]["content"]
                with outer.lock:
                    outer.bodies.append(body)
                    outer.times.append(time.monotonic())
                    outer.seen[text] += 1
                    number = outer.seen[text]
                reply = outer.behave(body, number)
                time.sleep(reply.delay)
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                try:
                    self.send_response(reply.status)
                    for name, value in {"content-type": "application/json", **reply.headers}.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    if reply.drop:
                        self.wfile.write(data[:10])
                        self.wfile.flush()
                        self.connection.shutdown(socket.SHUT_RDWR)
                        self.close_connection = True
                        return
                    self.wfile.write(data)
                except OSError:
                    return
                if reply.status == 200:
                    with outer.lock:
                        outer.answered[document_of(body)] += 1

            def log_message(self, *_: object) -> None:
                """Keep silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def serving(behave: Callable[[dict[str, Any], int], Reply]) -> Iterator[JudgeServer]:
    """Run a server for the time of the block."""
    server = JudgeServer(behave)
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
