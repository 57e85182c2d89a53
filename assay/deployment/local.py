"""This machine as a target: one server process a version, and one front at the public port.

FOLDER/serving.json   the serving version and the history (`route`)
FOLDER/front.json     the process at the public port (`front`)
FOLDER/servers/       a file and a log for each server process (`runner`)
FOLDER/bentos/        the Bento of each version
FOLDER/canary.json    the server of a canary and its share (`local_canary`)
FOLDER/keeper.json    the process that starts both again when they end (`keeper`)
FOLDER/lock           held by the running deployment
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from assay.deployment.canary import Canary, metrics_token, nothing_beside
from assay.deployment.keeping import KeeperRecord, end_keeper, keeper_command, start_keeper
from assay.deployment.local_canary import LocalCanary
from assay.deployment.local_servers import LocalServers, ready_at
from assay.deployment.route import CanaryRecord, FrontRecord, Route
from assay.deployment.start import Started, start_front
from assay.deployment.target import Deployed, FailedDeploymentError, History, Log, Status
from assay.errors import InputError
from assay.registry import Registry
from assay.serving import PREFIX, ServeSettings


class LocalTarget(LocalServers):
    """See `Target`. A new server is checked before requests move to it. The old one ends after its last request."""

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raise InputError also if another deployment is running, or if the version does not exist."""
        with self._alone() as route:
            name = Registry(self._settings.registry).get(version).name
            log = Log()
            if route.history.wanted == name:
                return self._keep(route, log)
            return self._serve(route, route.history.forward(name), log, fresh=True)

    @contextmanager
    def canary(self, version: str, share: float) -> Iterator[Canary | Deployed]:
        """See `CanaryTarget`. The front draws for each call if it goes to the new version."""
        with self._alone() as route:
            name = Registry(self._settings.registry).get(version).name
            log = Log()
            if route.history.wanted == name:
                yield self._keep(route, log)
                return
            front = FrontRecord.read(self._folder)
            if self.status().state != "serving" or front is None or route.server is None:
                raise nothing_beside(name, str(self._folder))
            environment, history = self._environment(route.server), route.history
            token = metrics_token(ServeSettings.read({k: v for k, v in os.environ.items() if k.startswith(PREFIX)}))
            old, started = route.server, self._checked(route, name, environment, log)

            def move() -> Deployed:
                try:
                    self._move(history.forward(name), started, log)
                except InputError as error:
                    raise self._failed(route, name, error) from error
                trial.promoted = True  # from here on an interruption must not bring the old server back
                CanaryRecord.remove(self._folder)
                start_keeper(self._folder, self._settings.restore, environment)
                self._retire(front, old, started.server, log)
                self._tidy(history.forward(name))
                return Deployed(name, history.forward(name).previous, True, self.url, log.events)

            trial = LocalCanary(self._folder, started, old, share, token, move)
            try:
                CanaryRecord(started.server, share).write(self._folder)
                log.add(f"{share:.0%} of the calls to {self.url} go to {name}, the rest to {old.version}")
                yield trial
            finally:
                CanaryRecord.remove(self._folder)
                if not trial.promoted:
                    # As after a failed deployment: a rollback that follows must not go back further.
                    Route(replace(history, left=name), old).write(self._folder)
                    front.wait_left(started.server.port, self._settings.drain)
                    started.abandon()
                    self._end_others(old)
                    self._tidy(history)

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
        found = ready_at(url)
        if found != wanted:
            return Status("degraded", "", previous, url, f"{wanted} should serve at {url}, which answers: {found}")
        alone = "" if kept else f"; nothing would start it again, `deploy {wanted}` mends that"
        trial = CanaryRecord.read(self._folder)
        if trial and trial.server.process.alive and trial.server.version != wanted:
            alone += f"; {trial.share:.0%} of its calls go to {trial.server.version} as a canary"
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

    def _checked(self, route: Route, version: str, environment: dict[str, str], log: Log) -> Started:
        """Start a server beside the serving one, and check it. Raise FailedDeploymentError if it fails."""
        try:
            return self._start(version, environment, log, fresh=True)
        except BaseException as error:
            Route(replace(route.history, left=version), route.server).write(self._folder)
            self._end_others(route.server)
            if not isinstance(error, InputError):
                raise
            raise self._failed(route, version, error) from error

    def _failed(self, route: Route, version: str, error: InputError) -> FailedDeploymentError:
        serving = route.history.wanted
        what = f"version {version} was not deployed, {serving} still serves: {error}"
        return FailedDeploymentError(what, version=version, serving=serving)

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
            started = self._start(version, environment, log, fresh=fresh)
            self._move(history, started, log)
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
        self._retire(front, old, started.server, log)
        self._tidy(history)
        return Deployed(version, history.previous, True, self.url, log.events)
