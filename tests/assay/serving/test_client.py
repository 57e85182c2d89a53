"""The client of a service: HTTPS with real certificates, retries of what is safe to repeat, time limits."""

import asyncio
import contextlib
import datetime
import http.server
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assay.errors import InputError
from assay.serving import ServerProcess, ask, check_running

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a file with a key and a certificate for `localhost`, signed by itself."""

    def make(name: str = "localhost", age: datetime.timedelta = DAY) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        with contextlib.suppress(ValueError):
            names = [x509.IPAddress(ipaddress.ip_address(name))]
        start = datetime.datetime.now(datetime.UTC) - age
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + 2 * DAY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        file = tmp_path_factory.mktemp("certificate") / "server.pem"
        plain = serialization.NoEncryption()
        pkcs8 = serialization.PrivateFormat.PKCS8
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, pkcs8, plain) + made.public_bytes(serialization.Encoding.PEM)
        )
        return file

    return make


@contextlib.contextmanager
def tls_in_front_of(port: int, certificate: Path) -> Iterator[int]:
    """Yield a port that speaks TLS and passes everything to `port`, as a load balancer does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    started, addresses, loop = threading.Event(), [], asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, outer), copy(inner, writer))

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        addresses.append(server.sockets[0].getsockname()[1])
        started.set()

    def main() -> None:
        loop.set_exception_handler(lambda *_: None)  # handshakes that a client breaks off are expected
        loop.run_until_complete(run())
        loop.run_forever()

    thread = threading.Thread(target=main)
    thread.start()
    assert started.wait(30)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


class Service:
    """A service that breaks off some requests, and counts all of them."""

    def __init__(self) -> None:
        self.broken = 0
        self.requests: list[str] = []
        self.status, self.headers = 200, {"Content-Type": "application/json; charset=utf-8"}
        self.hold = threading.Event()
        self.slow = False
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service.requests.append(self.command)
                if service.slow:
                    service.hold.wait(30)
                if service.broken:
                    service.broken -= 1
                    self.close_connection = True
                    if service.broken % 2:  # in the middle of the answer, or before it
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                    return
                answer = {"path": self.path, "body": body.decode(), "token": self.headers.get("Authorization")}
                data = json.dumps(answer).encode()
                self.send_response(service.status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET  # noqa: N815

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.hold.set()
    made.server.shutdown()
    made.server.server_close()


def test_a_service_is_called_over_https(
    service: Service, certificate: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with tls_in_front_of(service.port, file) as port:
        assert ask(f"https://localhost:{port}", "/readyz") == (200, {"path": "/readyz", "body": "", "token": None})
        status, answer = ask(f"https://localhost:{port}/", "/score", {"id": "é"}, token="a-token")

    assert status == 200
    assert answer == {"path": "/score", "body": '{"id": "\\u00e9"}', "token": "Bearer a-token"}


@pytest.mark.full
def test_the_golden_documents_are_checked_over_https(
    server: ServerProcess, keys, certificate: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate()
    with tls_in_front_of(server.port, file) as port:
        with pytest.raises(InputError, match=r"certificate of the service is not accepted.*SSL_CERT_FILE"):
            check_running(server.bento, f"https://localhost:{port}", token=keys.given)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        report = check_running(server.bento, f"https://localhost:{port}", token=keys.given)

    assert report.passed
    assert report.documents == 12


@pytest.mark.parametrize(
    ("name", "age", "trusted", "reason"),
    [
        ("localhost", DAY, False, "self-signed certificate"),
        ("elsewhere.example", DAY, True, "Hostname mismatch, certificate is not valid for 'localhost'"),
        ("127.0.0.1", DAY, True, "Hostname mismatch, certificate is not valid for 'localhost'"),
        ("localhost", 9 * DAY, True, "certificate has expired"),
        ("localhost", -DAY, True, "certificate is not yet valid"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_reported_in_one_line(
    service: Service,
    certificate: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    age: datetime.timedelta,
    trusted: bool,
    reason: str,
) -> None:
    file = certificate(name, age)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with tls_in_front_of(service.port, file) as port, pytest.raises(InputError) as raised:
        ask(f"https://localhost:{port}", "/score", {"documents": []}, token="a-secret-token")

    message = str(raised.value)
    assert message.startswith(f"the certificate of the service is not accepted: {reason}")
    assert f"(https://localhost:{port}). Name the file of its certificate authority in SSL_CERT_FILE" in message
    assert "\n" not in message and "a-secret-token" not in message
    assert service.requests == [], "nothing is sent to a service whose certificate is not accepted"


def test_a_service_without_tls_cannot_be_called_over_https(service: Service) -> None:
    with pytest.raises(ConnectionError, match="SSL"):
        ask(f"https://127.0.0.1:{service.port}", "/readyz")


def test_a_get_that_breaks_off_is_sent_again_and_a_post_is_not(service: Service) -> None:
    service.broken = 2
    assert ask(service.url, "/readyz")[0] == 200
    assert service.requests == ["GET"] * 3

    service.broken = 3
    with pytest.raises(ConnectionError):
        ask(service.url, "/readyz")
    assert service.requests == ["GET"] * 6
    for broken in (1, 2):
        service.broken, service.requests = broken, []
        with pytest.raises(ConnectionError):
            ask(service.url, "/score", {})
        assert service.requests == ["POST"]


def test_a_time_limit_holds_for_all_tries_together(service: Service) -> None:
    service.slow = True
    for content in (None, {}):
        started, service.requests = time.monotonic(), []
        with pytest.raises(TimeoutError, match=r"timed out after 0\.5 s"):
            ask(service.url, "/score", content, timeout=0.5)
        assert time.monotonic() - started < 5
        assert len(service.requests) == 1, "a request that may still be worked on is not sent again"


def test_refusals_and_redirects_are_returned_and_not_followed(service: Service) -> None:
    service.status, service.headers = 503, {"Content-Type": "application/json", "Retry-After": "30"}
    started = time.monotonic()
    assert ask(service.url, "/readyz")[0] == 503
    assert time.monotonic() - started < 15, "callers decide how long they wait"
    service.status, service.headers = 302, {"Location": "/elsewhere", "Content-Type": "text/plain"}
    status, text = ask(service.url, "/readyz")
    assert (status, type(text)) == (302, str)
    assert service.requests == ["GET", "GET"]


def test_a_service_that_is_not_there_gives_one_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}", f"127.0.0.1:{port}"):
        with pytest.raises(ConnectionError, match=r"^\[Errno 111\] Connection refused$"):
            ask(url, "/readyz")
    with pytest.raises(ConnectionError, match="not known"):
        ask("http://nowhere.invalid", "/readyz")
    with pytest.raises(InputError, match=r"no URL of a service: .*ftp .*Give http:// or https://"):
        ask("ftp://127.0.0.1", "/readyz")
