"""This machine as a target: one server process a version, and one front at the public port.

FOLDER/serving.json   the serving version and the history (`route`)
FOLDER/front.json     the process at the public port (`front`)
FOLDER/servers/       a file and a log for each server process (`runner`)
FOLDER/bentos/        the Bento of each version
FOLDER/keeper.json    the process that starts both again when they end (`keeper`)
FOLDER/lock           held by the running deployment
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import assay
from assay.deployment.identity import Server
from assay.deployment.keeping import KeeperRecord, end_keeper, keeper_command, start_keeper, take_lock
from assay.deployment.local_settings import LocalSettings
from assay.deployment.route import FrontRecord, Route
from assay.deployment.runner import CHECK_TOKEN
from assay.deployment.start import start_front, start_server
from assay.deployment.target import Deployed, FailedDeploymentError, History, Log, Status
from assay.errors import InputError
from assay.registry import Registry
from assay.serving import PREFIX, Bento, ServeSettings, ask, build_bento, check_running, warn_open
from assay.storage import clear_disk_errors


class LocalTarget:
    """See `Target`. A new server is checked before requests move to it. The old one ends after its last request."""

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

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raise InputError also if another deployment is running, or if the version does not exist."""
        with self._alone() as route:
            name = Registry(self._settings.registry).get(version).name
            log = Log()
            if route.history.wanted == name:
                return self._keep(route, log)
            return self._serve(route, route.history.forward(name), log, fresh=True)

    def rollback(self) -> Deployed:
        """See `Target`. The restored version uses the same Bento as before, if it still exists."""
        with self._alone() as route:
            log = Log()
            if route.history.left and route.history.wanted:
                return self._keep(route, log)
            if not route.history.previous:
                raise InputError(
                    "there is no version to roll back to", where=str(self._folder), fix="Deploy one by its name"
                )
            return self._serve(route, route.history.back(), log, fresh=False)

    def restore(self) -> Deployed:
        """Serve what was deployed last, if it does not serve. Do nothing if it does. Raise InputError as `deploy`."""
        with self._alone() as route:
            if not route.history.wanted:
                raise InputError("nothing was deployed", where=str(self._folder), fix="Deploy a version by its name")
            if FrontRecord.read(self._folder) is None and route.server:
                start_front(self._folder, self._settings.host, self._settings.port)
            try:
                return self._keep(route, Log(), keeper=False)
            except FailedDeploymentError:
                # The next attempt may go well: the version stays the one that is served.
                route.write(self._folder)
                raise

    def keep(self) -> NoReturn:
        """Become the process that keeps the deployment alive, for systemd. See `assay.deployment.keeper`."""
        self._servers.mkdir(parents=True, exist_ok=True)
        environment = self._environment(None)
        command = keeper_command(self._folder, self._settings.restore, foreground=True)
        os.execve(command[0], command, environment)

    def status(self) -> Status:
        """See `Target`. It checks the processes and calls the public port; files alone may be out of date."""
        route, front = Route.read(self._folder), FrontRecord.read(self._folder)
        wanted, previous = route.history.wanted, route.history.previous
        kept = KeeperRecord.read(self._folder)
        if not wanted or route.server is None:
            last = f"; {wanted} served last" if wanted else ""
            return Status("nothing", "", previous, "", f"nothing is served{last}")
        again = "it is being started again" if kept else f"`deploy {wanted}` starts it again"
        if not route.server.process.alive:
            return Status("down", "", previous, "", f"the server of {wanted} has ended; {again}")
        if front is None:
            return Status("down", "", previous, "", f"the process at the public port has ended; {again}")
        url = f"http://{'127.0.0.1' if front.host == '0.0.0.0' else front.host}:{front.port}"
        found = _ready(url)
        if found != wanted:
            return Status("degraded", "", previous, url, f"{wanted} should serve at {url}, which answers: {found}")
        alone = "" if kept else f"; nothing would start it again, `deploy {wanted}` mends that"
        return Status("serving", wanted, previous, url, f"{wanted} serves at {url}{alone}")

    def stop(self) -> None:
        """End the front and all servers. The history is kept. Do nothing if nothing is served."""
        with self._alone() as route:
            Route(route.history, None).write(self._folder)
            end_keeper(self._folder)
            front = FrontRecord.read(self._folder)
            if front:
                front.process.end(self._settings.drain)
            self._end_others(None)

    @contextmanager
    def _alone(self) -> Iterator[Route]:
        """Lock the folder, end servers that a killed deployment left, and yield the current route."""
        with clear_disk_errors(self._servers):
            self._servers.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("ab") as lock:
            take_lock(lock, self._folder)
            route = Route.read(self._folder)
            self._end_others(route.server)
            yield route

    def _keep(self, route: Route, log: Log, *, keeper: bool = True) -> Deployed:
        """Handle a version that is wanted already: do nothing if it answers, else start it again."""
        if self.status().state == "serving":
            log.add(f"{route.history.wanted} serves already")
            if keeper and KeeperRecord.read(self._folder) is None:
                start_keeper(self._folder, self._settings.restore, self._environment(route.server))
            return Deployed(route.history.wanted, route.history.previous, False, self.url, log.events)
        return self._serve(route, route.history, log, fresh=False, keeper=keeper)

    def _serve(self, route: Route, history: History, log: Log, *, fresh: bool, keeper: bool = True) -> Deployed:
        """Start a server, check it, move requests to it, end the old one. After a failure the old one still serves."""
        version, old = history.wanted, route.server if route.server and route.server.process.alive else None
        environment = self._environment(route.server)
        first = FrontRecord.read(self._folder) is None
        try:
            # The front comes first: if the public port is taken, no server is started.
            front = start_front(self._folder, self._settings.host, self._settings.port)
            bento = self._bento(version, fresh=fresh)
            log.add(f"version {version} is packed")
            started = start_server(self._servers, bento, environment, self._settings.within)
            server = started.server
            log.add(f"the server is ready on port {server.port}")
            report = check_running(bento, f"http://127.0.0.1:{server.port}", token=environment[CHECK_TOKEN])
            report.require()
            log.add(f"{report.documents} golden documents: off by {report.worst:.2g} of {report.tolerance:g} labels")
            Route(history, server).write(self._folder)
            if (found := _ready(self.url)) != version:
                raise InputError(f"the public port does not reach the new server; it answers: {found}", where=self.url)
            log.add(f"requests to {self.url} go to the new server")
            started.hand_over()
        except BaseException as error:
            # BaseException, because Ctrl-C must also restore the old route. Then the new server ends.
            left = version if version != route.history.wanted and fresh else route.history.left
            Route(replace(route.history, left=left), old).write(self._folder)
            self._end_others(old)
            # A front that this command started, and that has nothing to serve, would only hold the port.
            if first and not old and (opened := FrontRecord.read(self._folder)):
                opened.process.end(self._settings.drain)
            if not isinstance(error, InputError):
                raise
            serving = route.history.wanted if old else ""
            rest = f"{serving} still serves" if old else "nothing is served"
            log.add(f"version {version} does not serve; {rest}")
            raise FailedDeploymentError(
                f"version {version} was not deployed, {rest}: {error}", version=version, serving=serving
            ) from error
        if keeper:
            start_keeper(self._folder, self._settings.restore, environment)
        if old:
            # Its last requests are completed before it ends.
            if not front.wait_left(old.port, self._settings.drain):
                log.add(f"the old server still had requests after {self._settings.drain:g} s")
            self._end_others(server)
            log.add(f"the server of {old.version} has ended")
        self._tidy(history)
        return Deployed(version, history.previous, True, self.url, log.events)

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


def _ready(url: str) -> str:
    """Return the version that is ready at a URL, or else its answer or the error."""
    try:
        status, content = ask(url, "/readyz", timeout=10)
    except OSError as error:
        return str(error) or type(error).__name__
    return str(content["version"]) if status == 200 and isinstance(content, dict) else f"{status} {content}"
