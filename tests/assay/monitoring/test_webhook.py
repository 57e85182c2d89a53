"""The webhook, against real servers that fail in the ways in which servers fail."""

import datetime
import email.utils
import http.server
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError
from assay.monitoring import WebhookConfig, notify

MESSAGE = {"title": "education: drift", "version": "a" * 12, "window": "an hour", "sentences": ["a < b & c", "more"]}
Act = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """Answers each request by the next of its acts, and by the last one from then on."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.acts: list[Act] = []
        self.paths: list[str] = []
        self.got: list[tuple[float, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((time.monotonic(), json.loads(body)))
                outer.paths.append(self.path)
                outer.acts[min(len(outer.got), len(outer.acts)) - 1](self)

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}/services/secret"


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
def test_a_failed_try_is_repeated_until_the_message_arrives(bad: Act, server: Server) -> None:
    server.acts = [bad, bad, status(200)]

    assert notify(MESSAGE, config(server)) == ""
    assert [body for _, body in server.got] == [MESSAGE] * 3


@pytest.mark.parametrize("wanted", ["1", "date"])
def test_the_pause_that_a_server_requests_is_made(wanted: str, server: Server) -> None:
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
def test_a_server_that_always_fails_is_reported_and_raises_nothing(
    bad: Act, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.acts = [bad]
    started = time.monotonic()

    said = notify(MESSAGE, config(server, tries=3, seconds=0.5))

    assert said.startswith("the webhook at 127.0.0.1 did not accept the message: ")
    assert said.endswith(" (3 tries)")
    assert said in capsys.readouterr().err
    assert "secret" not in said
    assert len(server.got) == 3
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("code", [400, 403, 404, 302])
def test_a_status_that_will_not_change_is_not_retried(code: int, server: Server) -> None:
    server.acts = [status(code, Location=server.url)]

    assert (
        notify(MESSAGE, config(server)) == f"the webhook at 127.0.0.1 did not accept the message: status {code} (1 try)"
    )
    assert len(server.got) == 1


def test_a_server_that_is_missing_is_reported() -> None:
    said = notify(MESSAGE, WebhookConfig("http://127.0.0.1:9/x", tries=2, pause=0))

    assert said == "the webhook at 127.0.0.1 did not accept the message: ConnectionRefusedError (2 tries)"


def test_a_host_that_is_unknown_is_reported_without_the_secret() -> None:
    said = notify(MESSAGE, WebhookConfig("http://no-such-host.invalid/secret", tries=1))

    assert said.startswith("the webhook at no-such-host.invalid did not accept the message: ")
    assert "secret" not in said


def test_a_retry_after_that_is_no_time_is_ignored(server: Server) -> None:
    server.acts = [status(503, Retry_After="soon"), status(200)]

    assert notify(MESSAGE, config(server)) == ""
    assert len(server.got) == 2


def test_the_pause_doubles_from_the_second_try_on(server: Server) -> None:
    server.acts = [status(500)]

    notify(MESSAGE, config(server, tries=3, pause=0.4))

    (first, _), (second, _), (third, _) = server.got
    assert second - first >= 0.4
    assert third - second >= 0.8


def test_a_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/services/secret").removeprefix("http://"))
    monkeypatch.setenv("no_proxy", "")
    server.acts = [status(200)]

    assert notify(MESSAGE, WebhookConfig("http://hooks.invalid/services/x", tries=1)) == ""
    assert server.paths == ["http://hooks.invalid/services/x"]


def certificate(folder: Path) -> Path:
    """Write a key and a self-signed certificate for 127.0.0.1 to one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    signed = made.add_extension(address, critical=False).sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form) + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_https_arrives_if_the_certificate_is_trusted_and_is_refused_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate(tmp_path), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = Server(context)
    server.acts = [status(503), status(200)]

    try:
        said = notify(MESSAGE, config(server, tries=2, seconds=5))
        assert said == "the webhook at 127.0.0.1 did not accept the message: SSLCertVerificationError (2 tries)"
        assert server.got == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert notify(MESSAGE, config(server, seconds=5)) == ""
        assert [body for _, body in server.got] == [MESSAGE] * 2
    finally:
        server.server.shutdown()
        server.server.server_close()


def test_the_form_of_slack(server: Server) -> None:
    server.acts = [status(200)]

    assert notify(MESSAGE, config(server, form="slack")) == ""
    body = server.got[0][1]
    assert body["text"] == "education: drift: a &lt; b &amp; c"
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "context"]
    assert body["blocks"][1]["text"]["text"] == "• a &lt; b &amp; c\n• more"


def test_a_url_that_is_no_webhook_is_refused_without_its_secret() -> None:
    for url in ("file:///etc/secret", "secret", "ftp://host/secret"):
        with pytest.raises(InputError, match="no URL of a webhook") as error:
            WebhookConfig(url)
        assert "secret" not in str(error.value)
    with pytest.raises(InputError, match="no form 'xml'"):
        WebhookConfig("https://host/", "xml")
    assert "secret" not in repr(WebhookConfig("https://host/secret"))
