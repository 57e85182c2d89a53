"""A Bento run as a process on this machine, for as long as it is wanted and not a moment longer."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]

from assay.errors import InputError
from assay.progress import say
from assay.serving.bento import Bento
from assay.serving.owner import OWNER
from assay.serving.settings import PREFIX, PROCESS, ServeSettings

PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections, which would take one between its choice and its use."""
TAIL = 12
"""Lines of the log in an error."""


class ServerProcess:
    """A context manager: `bentoml serve` of a Bento, ready when the block begins, gone when it ends however it ends.

    It ends with this process, too, should that be killed.

    Every server has a BENTOML_HOME and a temporary folder of its own: two of them on one machine would otherwise
    remove each other's metrics, and the user's `~/bentoml` stays what it is.
    """

    def __init__(
        self,
        bento: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        show: bool = False,
        wait_for: str = "/readyz",
        within: float = 180.0,
        stop_within: float = 60.0,
    ) -> None:
        """Raises InputError where there is no Bento.

        `port` 0 takes a free one; `environment` holds settings (`ASSAY_SERVE_…`, of which none are inherited) and
        whatever else the server is to see; the log goes to the file `log`, to the terminal (`show`), or is kept to
        be told should something fail. `within` and `stop_within`: seconds until `wait_for` answers 200, and until
        the process is killed that does not end when it is asked to.
        """
        self.bento = Bento.open(bento)
        self.host, self.port = host, port or _free_port(host)
        self.seconds_to_ready = 0.0
        self._environment = dict(environment or {})
        self._log, self._show = log, show
        self._wait_for, self._within, self._stop_within = wait_for, within, stop_within
        self._process: subprocess.Popen[bytes] | None = None
        self._family: set[Any] = set()
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has said so far; empty where it went to the terminal."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log and self._log.exists() else ""

    def __enter__(self) -> "ServerProcess":
        """Raises InputError, with the end of the log, where it dies or is not ready in time; then nothing is left."""
        try:
            self._start()
            self.wait_until(self._wait_for)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, path: str, content: Any = None, *, token: str = "", timeout: float = 60.0) -> tuple[int, Any]:
        """Status and body of a GET, or of a POST of JSON content; a body that is JSON comes as its value."""
        return ask(self.url, path, content, token=token, timeout=timeout)

    def wait(self) -> int:
        """Until it ends by itself; its exit status."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to end after the requests in work, and kill what is left of it when the time is over."""
        process, self._process = self._process, None
        if process is not None:
            self._remember(process.pid)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self._stop_within)
            # Its workers have sessions of their own: no signal to a group reaches all.
            for each in self._family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(self._family, timeout=10)
            process.wait()
        self._stack.close()

    def _start(self) -> None:
        if not _free(self.host, self.port):
            # Whoever answers there would be taken for this server.
            raise InputError(f"port {self.port} is taken", where=self.host, fix="Name another, or 0 for a free one")
        home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-serve-")))
        if not self._show:
            self._log = self._log or home / "log"
            self._log.parent.mkdir(parents=True, exist_ok=True)
        dropped = (PREFIX, "BENTOML", "PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        environment |= {
            "BENTOML_HOME": str(home / "bentoml"),
            **PROCESS,
            # A server that cannot start ends, as in a container, instead of trying again for ever.
            "BENTOML_CONTAINERIZED": "true",
            "TMPDIR": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
            OWNER: str(os.getpid()),
            **self._environment,
        }
        command = [sys.executable, "-m", "bentoml", "serve", str(self.bento.path)]
        command += ["--host", self.host, "--port", str(self.port)]
        output = self._stack.enter_context(self._log.open("ab")) if self._log else None
        self._process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )

    def wait_until(self, path: str) -> None:
        """Until `path` answers 200. Raises InputError, with the end of the log, where it does not in time."""
        assert self._process is not None
        started = time.monotonic()
        what = ""
        while (waited := time.monotonic() - started) < self._within and not what:
            if self._process.poll() is not None:
                what = f"the server of {self.bento.tag} ended with status {self._process.returncode}"
                continue
            self._remember(self._process.pid)
            status, content = 0, None
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, content = self.ask(path, timeout=5)
            if status == 200:
                self.seconds_to_ready = time.monotonic() - started
                return
            if isinstance(content, dict) and content.get("state") == "failed":
                what = f"the server of {self.bento.tag} will not serve its model"
                continue
            time.sleep(0.1)
        what = what or f"the server of {self.bento.tag} is not ready after {waited:.0f} s"
        tail = " | ".join(line.strip() for line in self.log.splitlines()[-TAIL:] if line.strip())
        raise InputError(what, where=self.url, fix=f"Its log ends: {tail}" if tail else "")

    def _remember(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family |= set(psutil.Process(pid).children(recursive=True))


def ask(url: str, path: str, content: Any = None, *, token: str = "", timeout: float = 60.0) -> tuple[int, Any]:
    """As `ServerProcess.ask`, of whatever serves at `url`. Raises OSError, HTTPException where nobody answers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        body = None if content is None else json.dumps(content)
        connection.request("GET" if content is None else "POST", path, body, headers)
        response = connection.getresponse()
        data = response.read()
        as_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(data) if as_json else data.decode("utf-8", "replace")
    finally:
        connection.close()


def serve_forever(bento: Path, *, port: int = 3000, host: str = "127.0.0.1") -> None:
    """Serve in the foreground, its log on the terminal, until Ctrl-C or SIGTERM. Settings come from the environment.

    Says when it is ready, and a line for curl that works. Raises InputError where it cannot serve, or ends by itself.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    settings = ServeSettings.read(environment)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ServerProcess(bento, port=port, host=host, environment=environment, show=True) as server:
            say(f"{server.bento.tag} is ready at {server.url}; a page to try it is there too. Ctrl-C ends it. Try:")
            say(curl_line(server.url, settings))
            status = server.wait()
        raise InputError(f"the server of {server.bento.tag} ended with status {status}; its log is above")
    except KeyboardInterrupt:
        say("stopped")
    finally:
        signal.signal(signal.SIGTERM, previous)


def curl_line(url: str, settings: ServeSettings) -> str:
    """A command that scores a text. A token is not printed: the line takes it from where the settings have it."""
    token = ""
    if settings.tokens:
        token = f'-H "Authorization: Bearer $(echo ${PREFIX}TOKENS | cut -d, -f1 | xargs)" '
    elif settings.tokens_file:
        token = f"-H \"Authorization: Bearer $(grep -o '^[^# ]*' {settings.tokens_file} | head -1)\" "
    text = "Plants turn light, water and carbon dioxide into sugar and oxygen; this is called photosynthesis."
    body = json.dumps({"documents": [{"id": "1", "text": text}]})
    return f"curl -sS {url}/score {token}-H 'Content-Type: application/json' -d '{body}'"


def _free_port(host: str) -> int:
    for port in random.sample(PORTS, 100):
        if _free(host, port):
            return port
    raise InputError("no free port", where=host)


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
