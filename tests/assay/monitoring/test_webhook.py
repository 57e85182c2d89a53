"""The webhook, against a server that does what servers do."""

import email.utils
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assay.errors import InputError
from assay.monitoring import WebhookConfig, notify

MESSAGE = {"title": "education: drift", "version": "a" * 12, "window": "an hour", "sentences": ["a < b & c", "more"]}
Act = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """Acts out, request by request, what it is given; the last act again and again."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.got: list[tuple[float, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((time.monotonic(), json.loads(body)))
                outer.acts[min(len(outer.got), len(outer.acts)) - 1](self)

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/secret"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def status(code: int, **headers: str) -> Act:
    def act(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return act


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    for letter in "HTTP/1.1 200 OK" + " " * 100:
        handler.wfile.write(letter.encode())
        handler.wfile.flush()
        time.sleep(0.1)


def config(server: Server, **more: Any) -> WebhookConfig:
    return WebhookConfig(server.url, **{"pause": 0.05, "seconds": 1.0, "tries": 4, **more})


@pytest.mark.parametrize(
    "bad", [status(500), status(503), status(408), hang_up, drip], ids=["500", "503", "408", "hang up", "drip"]
)
def test_what_fails_once_is_tried_again_until_it_arrives(bad: Act, server: Server) -> None:
    server.acts = [bad, bad, status(200)]

    assert notify(MESSAGE, config(server)) == ""
    assert [body for _, body in server.got] == [MESSAGE] * 3


@pytest.mark.parametrize("wanted", ["1", "date"])
def test_who_asks_for_a_pause_gets_it(wanted: str, server: Server) -> None:
    later = email.utils.formatdate(time.time() + 2, usegmt=True) if wanted == "date" else wanted
    server.acts = [status(429, Retry_After=later), status(204)]

    assert notify(MESSAGE, config(server)) == ""
    (first, _), (second, _) = server.got
    assert second - first > 0.9


def test_a_pause_has_its_limit(server: Server) -> None:
    server.acts = [status(429, Retry_After="86400"), status(200)]

    assert notify(MESSAGE, config(server, most_pause=0.2)) == ""
    assert server.got[1][0] - server.got[0][0] < 5


@pytest.mark.parametrize("bad", [status(500), hang_up, drip], ids=["500", "hang up", "drip"])
def test_what_never_works_is_said_and_raises_nothing(
    bad: Act, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.acts = [bad]
    started = time.monotonic()

    said = notify(MESSAGE, config(server, tries=3, seconds=0.5))

    assert said.startswith("the webhook at 127.0.0.1 was not told, after 3 tries: ")
    assert said in capsys.readouterr().err
    assert "secret" not in said
    assert len(server.got) == 3
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("code", [400, 403, 404, 302])
def test_what_will_not_work_is_not_tried_again(code: int, server: Server) -> None:
    server.acts = [status(code, Location=server.url)]

    assert (
        notify(MESSAGE, config(server)) == f"the webhook at 127.0.0.1 was not told, after 1 tries: it answered {code}"
    )
    assert len(server.got) == 1


def test_nobody_there_is_said() -> None:
    said = notify(MESSAGE, WebhookConfig("http://127.0.0.1:9/x", tries=2, pause=0))

    assert said == "the webhook at 127.0.0.1 was not told, after 2 tries: ConnectionRefusedError"


def test_the_form_of_slack(server: Server) -> None:
    server.acts = [status(200)]

    assert notify(MESSAGE, config(server, form="slack")) == ""
    body = server.got[0][1]
    assert body["text"] == "education: drift: a &lt; b &amp; c"
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "context"]
    assert body["blocks"][1]["text"]["text"] == "• a &lt; b &amp; c\n• more"


def test_what_is_no_webhook_is_refused_without_its_secret() -> None:
    for url in ("file:///etc/secret", "secret", "ftp://host/secret"):
        with pytest.raises(InputError, match="no URL of a webhook") as error:
            WebhookConfig(url)
        assert "secret" not in str(error.value)
    with pytest.raises(InputError, match="no form 'xml'"):
        WebhookConfig("https://host/", "xml")
    assert "secret" not in repr(WebhookConfig("https://host/secret"))
