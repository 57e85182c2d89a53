"""Run a Bento as a process of this machine that ends with the code that started it."""

import contextlib
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
from assay.serving.client import ask
from assay.serving.owner import OWNER
from assay.serving.settings import PREFIX, PROCESS, ServeSettings

PORTS = range(20_000, 30_000)
"""Below the range for outgoing connections, which could take a port between its choice and its use."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Addresses that no other machine reaches."""
TAIL = 12
"""Lines of the log that an error quotes."""


class ServerProcess:
    """Context manager that runs `bentoml serve` of a Bento. The server is ready when the block begins.

    It ends with the block, also after an error, and with this process, also if that is killed.

    Each server has its own BENTOML_HOME and its own temporary folder: two servers on one machine would otherwise
    remove each other's metrics, and the user's `~/bentoml` would change.
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
        """Raise InputError if `bento` holds no Bento.

        `port`: 0 selects a free one. `environment`: settings (`ASSAY_SERVE_…`; none are inherited) and further
        variables of the server. `log`: file of its log; without one the log goes to the terminal (`show`), or to a
        temporary file that errors quote. `within`: seconds until `wait_for` must answer 200. `stop_within`: seconds
        from SIGTERM until the process is killed.
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
        """URL of the server on this machine."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Return True if the server has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The log so far; empty if it goes to the terminal."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log and self._log.exists() else ""

    def __enter__(self) -> "ServerProcess":
        """Start the server. Raise InputError with the end of its log if it dies or is not ready in time."""
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
        """Call the server (`assay.serving.ask`). Return the status and the body of the answer."""
        return ask(self.url, path, content, token=token, timeout=timeout)

    def wait(self) -> int:
        """Wait until the server ends by itself. Return its exit status."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """End the server after the requests in work. Kill what is left of it after `stop_within` seconds."""
        process, self._process = self._process, None
        if process is not None:
            self._remember(process.pid)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self._stop_within)
            # Its workers have their own sessions: no signal to a process group reaches all.
            for each in self._family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(self._family, timeout=10)
            process.wait()
        self._stack.close()

    def _start(self) -> None:
        if not _free(self.host, self.port):
            # Without this check, the answers of the other process would be treated as those of this server.
            raise InputError(f"port {self.port} is taken", where=self.host, fix="Name another, or 0 for a free one")
        home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-serve-")))
        if not self._show:
            self._log = self._log or home / "log"
            self._log.parent.mkdir(parents=True, exist_ok=True)
        # Settings of this process would change the server; PYTHONPATH would replace the code in the Bento.
        dropped = (PREFIX, "BENTOML", "PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        environment |= {
            "BENTOML_HOME": str(home / "bentoml"),
            **PROCESS,
            # A server that cannot start ends, as in a container. BentoML would otherwise restart it without end.
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
        """Wait until `path` answers 200. Raise InputError with the end of the log if it does not in time."""
        assert self._process is not None
        started = time.monotonic()
        what = ""
        while (waited := time.monotonic() - started) < self._within and not what:
            if self._process.poll() is not None:
                what = f"the server of {self.bento.tag} ended with status {self._process.returncode}"
                continue
            # Again and again: workers whose parent has died are no longer found as its children.
            self._remember(self._process.pid)
            status, content = 0, None
            with contextlib.suppress(OSError):
                # Connections break until a worker listens: this loop tries again, and urllib3 would log each retry.
                status, content = ask(self.url, path, timeout=5, retries=0)
            if status == 200:
                self.seconds_to_ready = time.monotonic() - started
                return
            if isinstance(content, dict) and content.get("state") == "failed":
                what = f"the server of {self.bento.tag} does not serve its model"
                continue
            time.sleep(0.1)
        what = what or f"the server of {self.bento.tag} is not ready after {waited:.0f} s"
        tail = " | ".join(line.strip() for line in self.log.splitlines()[-TAIL:] if line.strip())
        raise InputError(what, where=self.url, fix=f"Its log ends: {tail}" if tail else "")

    def _remember(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family |= set(psutil.Process(pid).children(recursive=True))


def serve_forever(bento: Path, *, port: int = 3000, host: str = "127.0.0.1") -> None:
    """Serve in the foreground, with the log on the terminal, until Ctrl-C or SIGTERM. The environment has the settings.

    Print a line when the server is ready, and a curl command that works. Raise InputError if the server cannot serve,
    or ends by itself.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    settings = ServeSettings.read(environment)
    warn_open(host, settings)
    # An exit instead of the default action: the block below then ends the server.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ServerProcess(bento, port=port, host=host, environment=environment, show=True) as server:
            say(f"{server.bento.tag} is ready at {server.url}, with a page to try it. Ctrl-C ends it. Try:")
            say(curl_line(server.url, settings))
            status = server.wait()
        raise InputError(f"the server of {server.bento.tag} ended with status {status}; its log is above")
    except KeyboardInterrupt:
        say("stopped")
    finally:
        signal.signal(signal.SIGTERM, previous)


def warn_open(host: str, settings: ServeSettings) -> None:
    """Warn if other machines reach the service, and no token is needed."""
    if host not in LOOPBACK and not settings.guarded:
        say(f"WARNING: {host} is open to other machines, and no token is needed. Set {PREFIX}TOKENS")


def curl_line(url: str, settings: ServeSettings) -> str:
    """Return a command that scores a text. It reads a token from the settings, so that no token is printed."""
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
        # As servers do: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
