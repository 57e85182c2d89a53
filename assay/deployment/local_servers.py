"""The servers of the folder of a local deployment: the steps of which `local` composes its changes."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import assay
from assay.deployment.identity import Server
from assay.deployment.keeping import take_lock
from assay.deployment.local_settings import LocalSettings
from assay.deployment.route import CanaryRecord, FrontRecord, Route
from assay.deployment.runner import CHECK_TOKEN
from assay.deployment.start import Started, start_server
from assay.deployment.target import History, Log
from assay.errors import InputError
from assay.progress import say
from assay.registry import Registry
from assay.serving import PREFIX, Bento, ServeSettings, ask, build_bento, check_running, warn_open
from assay.storage import clear_disk_errors


class LocalServers:
    """One folder, its public port, and the servers behind it."""

    def __init__(self, settings: LocalSettings) -> None:
        # Absolute, because the servers run in another folder.
        self._settings = replace(settings, folder=settings.folder.absolute())
        self._folder = self._settings.folder
        self._servers = self._folder / "servers"

    @property
    def url(self) -> str:
        """URL for clients."""
        host = "127.0.0.1" if self._settings.host == "0.0.0.0" else self._settings.host
        return f"http://{host}:{self._settings.port}"

    @contextmanager
    def _alone(self) -> Iterator[Route]:
        """Lock the folder, end servers that a killed deployment left, and yield the current route."""
        with clear_disk_errors(self._servers):
            self._servers.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("ab") as lock:
            take_lock(lock, self._folder)
            route = Route.read(self._folder)
            left = CanaryRecord.read(self._folder)
            CanaryRecord.remove(self._folder)
            if left and left.server.version != route.history.wanted:
                say(f"the canary of {left.server.version} was interrupted: {route.history.wanted} serves all requests")
                route = Route(replace(route.history, left=left.server.version), route.server)
                route.write(self._folder)
            self._end_others(route.server)
            yield route

    def _start(self, version: str, environment: dict[str, str], log: Log, *, fresh: bool) -> Started:
        """Start a server of a version and check its golden documents. Raise InputError if it fails."""
        bento = self._bento(version, fresh=fresh)
        log.add(f"version {version} is packed")
        started = start_server(self._servers, bento, environment, self._settings.within)
        log.add(f"the server is ready on port {started.server.port}")
        report = check_running(bento, f"http://127.0.0.1:{started.server.port}", token=environment[CHECK_TOKEN])
        report.require()
        log.add(f"{report.documents} golden documents: off by {report.worst:.2g} of {report.tolerance:g} labels")
        return started

    def _move(self, history: History, started: Started, log: Log) -> None:
        """Move the requests to a checked server. Raise InputError if the public port does not reach it."""
        Route(history, started.server).write(self._folder)
        if (found := ready_at(self.url)) != history.wanted:
            raise InputError(f"the public port does not reach the new server; it answers: {found}", where=self.url)
        log.add(f"requests to {self.url} go to the new server")
        started.hand_over()

    def _retire(self, front: FrontRecord | None, old: Server | None, kept: Server, log: Log) -> None:
        """End the old server after its last requests."""
        if old is None:
            return
        if front and not front.wait_left(old.port, self._settings.drain):
            log.add(f"the old server still had requests after {self._settings.drain:g} s")
        self._end_others(kept)
        log.add(f"the server of {old.version} has ended")

    def _environment(self, old: Server | None) -> dict[str, str]:
        """Return the environment of a new server. Raise InputError if it would be open and the old one is not."""
        settings = ServeSettings.read({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})
        if old and old.guarded and not settings.guarded:
            raise InputError(
                "the serving version requires a token, and the new one would not",
                where=f"{PREFIX}TOKENS, {PREFIX}TOKENS_FILE",
                fix="Set one of them. To open the service to all, run `assay deployment stop` first",
            )
        warn_open(self._settings.host, settings)
        # The server runs in another folder, where it finds this package only by its path.
        code = str(Path(assay.__file__).parents[1])
        # A random token for each server: the check calls it before clients can.
        return {**os.environ, "PYTHONPATH": code, "PYTHONWARNINGS": "ignore", CHECK_TOKEN: secrets.token_hex(24)}

    def _bento(self, version: str, *, fresh: bool) -> Bento:
        """Return the Bento of a version. `fresh`: pack it again with the current code, even if a Bento exists."""
        place = self._folder / "bentos" / version
        if not fresh and (place / "bento.yaml").is_file():
            return Bento.open(place)
        registry = Registry(self._settings.registry)
        registered = registry.get(version)
        with registry.open(registered.name) as model:
            return build_bento(model, registered.name, place, created=registered.created, replace=True)

    def _end_others(self, kept: Server | None) -> None:
        """End all servers of this folder except `kept`, and remove their files."""
        for file in sorted(self._servers.glob("*.json")):
            server = Server.read(file)
            if server and kept and server.process == kept.process:
                continue
            if server:
                server.process.end(self._settings.drain)
            file.unlink(missing_ok=True)
            for log in (file.with_suffix(".log"), file.with_suffix(".log.1")):
                log.unlink(missing_ok=True)

    def _tidy(self, history: History) -> None:
        """Remove the Bentos of all versions except the serving one and the one that `rollback` would restore."""
        kept = {history.wanted, history.previous}
        for place in (self._folder / "bentos").iterdir():
            # Hidden folders are Bentos that are being staged.
            if place.name not in kept and not place.name.startswith("."):
                shutil.rmtree(place, ignore_errors=True)


def ready_at(url: str) -> str:
    """Return the version that is ready at a URL, or else its answer or the error."""
    try:
        status, content = ask(url, "/readyz", timeout=10)
    except OSError as error:
        return str(error) or type(error).__name__
    return str(content["version"]) if status == 200 and isinstance(content, dict) else f"{status} {content}"
