"""This machine as a target: a server process a version, and one front that holds the port that clients know.

FOLDER/serving.json   what serves, and what served before (`route`)
FOLDER/front.json     the process at the public port (`front`)
FOLDER/servers/       a file and a log for each server process (`runner`)
FOLDER/bentos/        what they serve from
FOLDER/lock           held by the one deployment at work
"""

import fcntl
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import assay
from assay.deployment.identity import Server
from assay.deployment.route import FrontRecord, Route
from assay.deployment.runner import CHECK_TOKEN
from assay.deployment.start import start_front, start_server
from assay.deployment.target import Deployed, FailedDeploymentError, History, Log, Status
from assay.errors import InputError
from assay.registry import Registry
from assay.serving import PREFIX, Bento, ServeSettings, ask, build_bento, check_running
from assay.storage import clear_disk_errors


@dataclass(frozen=True)
class LocalSettings:
    """How this machine serves. Limits and tokens of the service come from the environment, as for `assay serve`."""

    folder: Path
    """Where the state lies."""
    registry: str
    """Folder or URL that versions come from."""
    host: str = "127.0.0.1"
    """Address of the public port."""
    port: int = 3000
    """That clients know."""
    within: float = 180.0
    """Seconds in which a new server has to be ready."""
    drain: float = 65.0
    """Seconds that the old server is given for the requests that it has; a little above their own limit."""

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise InputError(f"there is no port {self.port}", fix="Give a number from 1 to 65535")
        if not (0 < self.within < math.inf and 0 < self.drain < math.inf):
            raise InputError(f"limits of {self.within} and {self.drain} s", fix="Give seconds above 0")


class LocalTarget:
    """See `Target`. The new server is checked before traffic moves; the old one goes when its requests are answered."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = replace(settings, folder=settings.folder.absolute())
        self._folder = self._settings.folder
        self._servers = self._folder / "servers"

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = "127.0.0.1" if self._settings.host == "0.0.0.0" else self._settings.host
        return f"http://{host}:{self._settings.port}"

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raises InputError, too, where another deployment is at work or there is no such version."""
        with self._alone() as route:
            name = Registry(self._settings.registry).get(version).name
            log = Log()
            if route.history.wanted == name:
                return self._keep(route, log)
            return self._serve(route, route.history.forward(name), log, fresh=True)

    def rollback(self) -> Deployed:
        """See `Target`. It serves from the very files from which it served before, where they are still there."""
        with self._alone() as route:
            log = Log()
            if route.history.left and route.history.wanted:
                return self._keep(route, log)
            if not route.history.previous:
                raise InputError(
                    "there is no version to go back to", where=str(self._folder), fix="Deploy one by its name"
                )
            return self._serve(route, route.history.back(), log, fresh=False)

    def status(self) -> Status:
        """See `Target`: what the processes are and what the public port answers, not what files say of them."""
        route, front = Route.read(self._folder), FrontRecord.read(self._folder)
        wanted, previous = route.history.wanted, route.history.previous
        if not wanted or route.server is None:
            last = f"; {wanted} served last" if wanted else ""
            return Status("nothing", "", previous, "", f"nothing is served{last}")
        again = f"`deploy {wanted}` starts it again"
        if not route.server.process.alive:
            return Status("down", "", previous, "", f"the server of {wanted} has ended; {again}")
        if front is None:
            return Status("down", "", previous, "", f"the process at the public port has ended; {again}")
        url = f"http://{'127.0.0.1' if front.host == '0.0.0.0' else front.host}:{front.port}"
        said = _ready(url)
        if said != wanted:
            return Status("degraded", "", previous, url, f"{wanted} should serve at {url}, which says: {said}")
        return Status("serving", wanted, previous, url, f"{wanted} serves at {url}")

    def stop(self) -> None:
        """Serve nothing any more. What was deployed is remembered. Nothing where nothing is served."""
        with self._alone() as route:
            Route(route.history, None).write(self._folder)
            front = FrontRecord.read(self._folder)
            if front:
                front.process.end(self._settings.drain)
            self._end_others(None)

    @contextmanager
    def _alone(self) -> Iterator[Route]:
        """The only deployment at work in this folder, and what it finds: leftovers of a killed one are ended first."""
        with clear_disk_errors(self._servers):
            self._servers.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    "another deployment is at work", where=str(self._folder), fix="Wait for its end, and look again"
                ) from error
            route = Route.read(self._folder)
            self._end_others(route.server)
            yield route

    def _keep(self, route: Route, log: Log) -> Deployed:
        """What is wanted already: nothing to do while it answers, else it is started again."""
        if self.status().state == "serving":
            log.tell(f"{route.history.wanted} serves already")
            return Deployed(route.history.wanted, route.history.previous, False, self.url, log.events)
        return self._serve(route, route.history, log, fresh=False)

    def _serve(self, route: Route, history: History, log: Log, *, fresh: bool) -> Deployed:
        """Start, check, move the traffic, end the old one. On any failure the old one goes on as if nothing was."""
        version, old = history.wanted, route.server if route.server and route.server.process.alive else None
        environment = self._environment(route.server)
        first = FrontRecord.read(self._folder) is None
        try:
            front = start_front(self._folder, self._settings.host, self._settings.port)
            bento = self._bento(version, fresh=fresh)
            log.tell(f"version {version} is packed")
            server = start_server(self._servers, bento, environment, self._settings.within)
            log.tell(f"its server is ready on port {server.port}")
            report = check_running(bento, f"http://127.0.0.1:{server.port}", token=environment[CHECK_TOKEN])
            report.require()
            log.tell(f"{report.documents} golden documents: off by {report.worst:.2g} of {report.tolerance:g} labels")
            Route(history, server).write(self._folder)
            if (said := _ready(self.url)) != version:
                raise InputError(f"the public port does not reach it, but says: {said}", where=self.url)
            log.tell(f"requests to {self.url} go to it")
        except BaseException as error:
            # Back in one step, also when stopped by hand: requests find the old one, and the new one ends.
            left = version if version != route.history.wanted and fresh else route.history.left
            Route(replace(route.history, left=left), old).write(self._folder)
            self._end_others(old)
            if first and not old and (started := FrontRecord.read(self._folder)):
                started.process.end(self._settings.drain)
            if not isinstance(error, InputError):
                raise
            serving = route.history.wanted if old else ""
            rest = f"{serving} goes on serving" if old else "nothing is served"
            log.tell(f"version {version} does not serve; {rest}")
            raise FailedDeploymentError(
                f"version {version} was not deployed, {rest}: {error}", version=version, serving=serving
            ) from error
        if old:
            if not front.wait_left(old.port, self._settings.drain):
                log.tell("the old server still had requests when its time was over")
            self._end_others(server)
            log.tell(f"the server of {old.version} has ended")
        self._tidy(history)
        return Deployed(version, history.previous, True, self.url, log.events)

    def _environment(self, old: Server | None) -> dict[str, str]:
        """Of a new server. Raises InputError where it would be open to all and the old one is not."""
        settings = ServeSettings.read({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})
        if old and old.guarded and not (settings.tokens or settings.tokens_file):
            raise InputError(
                "what serves now asks for a token, and this would not",
                where=f"{PREFIX}TOKENS, {PREFIX}TOKENS_FILE",
                fix="Set one of them; or `assay deployment stop` first, if everybody may ask",
            )
        code = str(Path(assay.__file__).parents[1])
        return {**os.environ, "PYTHONPATH": code, "PYTHONWARNINGS": "ignore", CHECK_TOKEN: secrets.token_hex(24)}

    def _bento(self, version: str, *, fresh: bool) -> Bento:
        """`fresh`: packed anew, with the code as it is now."""
        place = self._folder / "bentos" / version
        if not fresh and (place / "bento.yaml").is_file():
            return Bento.open(place)
        registry = Registry(self._settings.registry)
        registered = registry.get(version)
        with registry.open(registered.name) as model:
            return build_bento(model, registered.name, place, created=registered.created, replace=True)

    def _end_others(self, kept: Server | None) -> None:
        """End all servers of this folder but one, at once, and forget those that ended."""
        for file in sorted(self._servers.glob("*.json")):
            server = Server.read(file)
            if server and kept and server.process == kept.process:
                continue
            if server:
                server.process.end(self._settings.drain)
            file.unlink(missing_ok=True)
            file.with_suffix(".log").unlink(missing_ok=True)

    def _tidy(self, history: History) -> None:
        """Only what serves and what `rollback` would restore keeps its files."""
        kept = {history.wanted, history.previous}
        for place in (self._folder / "bentos").iterdir():
            if place.name not in kept and not place.name.startswith("."):
                shutil.rmtree(place, ignore_errors=True)


def _ready(url: str) -> str:
    """The version that is ready there; else what is said instead."""
    try:
        status, content = ask(url, "/readyz", timeout=10)
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    return str(content["version"]) if status == 200 and isinstance(content, dict) else f"{status} {content}"
