"""Vertex AI as a target: a version is checked on an endpoint of its own, then gets a share of the traffic, then all.

Vertex AI sends a request to a model by chance alone, so that one without traffic cannot be asked: the check needs a
second endpoint, `NAME-check`, which exists for the check alone. Vertex AI has no alarms that go back by themselves: in
the bake time this process asks the golden documents through the endpoint, and sends the traffic back if an answer is
wrong or missing. If it dies meanwhile, the share stays as it is, and the same command again goes on. The version before
stays deployed without traffic, so that a rollback takes seconds; it costs its replicas.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress

from assay.cloud import ApiError, Google
from assay.deployment.golden import check_vertex, probe_vertex, tolerance_of
from assay.deployment.target import Deployed, FailedDeploymentError, Log, Status
from assay.deployment.vertex_endpoint import MARK, Vertex, VertexEndpoint, deployed_id
from assay.deployment.vertex_settings import VertexSettings
from assay.errors import InputError
from assay.registry import Registry, Version
from assay.serving import PREFIX, ServeSettings
from assay.storage import digest_json

ENTRY = 8
"""Hex digits of the specification in a name."""


class VertexTarget:
    """See `Target`. The same command again completes an interrupted one."""

    def __init__(self, settings: VertexSettings) -> None:
        """Raise InputError if project or region cannot be one. Calls nothing."""
        self._settings = settings
        self._google = Google(settings.google)
        self._api = Vertex(settings, self._google)
        self.url = f"vertex://{settings.google.project}/{settings.google.location}/{settings.name}"

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raise InputError if image or place cannot be used; nothing is changed then."""
        log, settings = Log(), self._settings
        registered = Registry(settings.registry).get(version)
        settings.require_usable()
        environment = self._environment()
        model = self._model(registered, environment)
        id, now = deployed_id(model), self._look()
        if now and now.traffic.get(id) == 100:
            log.add(f"{version} serves already")
            self._tidy(now, log)
            return Deployed(version, self._version(now, now.before), False, self.url, log.events)
        if not (now and id in now.deployed):
            self._api.upload(model, registered, environment)
            self._check(registered, model, now, log)
            now = self._put_beside(version, model, now, log)
        assert now is not None
        if before := now.beside(id):
            self._bake(registered, now, id, before, log)
            now = self._require_endpoint()
            self._api.send(now, {id: 100, before: 0}, left="", coming="", before=now.deployed[before])
        elif now.traffic.get(id) != 100:
            self._api.send(now, {id: 100}, left="", coming="")
        now = self._require_endpoint()
        log.add(f"{version} gets all requests")
        self._tidy(now, log)
        return Deployed(version, self._version(now, now.before), True, self.url, log.events)

    def rollback(self) -> Deployed:
        """See `Target`. The traffic goes back first; then the version that was left is removed."""
        log, now = Log(), self._require_endpoint()
        if now.coming and now.beside(now.coming):
            return self._abandon(now, log)
        current, back = now.serving, now.before
        if now.left and deployed_id(now.left) != current:
            others = [id for id in now.deployed if id != current]
            for id in others:  # an interrupted rollback had not removed it
                self._api.undeploy(self._settings.name, id)
            log.add(f"{self._version(now, current)} serves again already")
            return Deployed(self._version(now, current), "", bool(others), self.url, log.events)
        if not back or not current:
            raise InputError("there is no version to roll back to", where=self.url, fix="Deploy one by its name")
        self._api.send(now, {back: 100, current: 0}, left=now.deployed[current], coming="")
        version = self._version(now, back)
        log.add(f"{version} gets all requests again")
        self._api.undeploy(self._settings.name, current)
        log.add(f"{self._version(now, current)} was removed")
        return Deployed(version, "", True, self.url, log.events)

    def _abandon(self, now: VertexEndpoint, log: Log) -> Deployed:
        """Take the share of an incomplete deployment back, and remove its version."""
        failed, stays = now.coming, now.beside(now.coming)
        self._api.send(now, {stays: 100, failed: 0}, left=now.deployed[failed], coming="")
        self._api.undeploy(self._settings.name, failed)
        log.add(f"{self._version(now, failed)} was abandoned, and {self._version(now, stays)} gets all requests")
        return Deployed(self._version(now, stays), "", True, self.url, log.events)

    def status(self) -> Status:
        """See `Target`."""
        now = self._api.look(self._settings.name)
        if now is None or (not now.deployed and MARK in now.labels):
            return Status("nothing", "", "", "", "no version was deployed")
        version, previous = self._version(now, now.serving), self._version(now, now.before)
        if strange := self._strange(now):
            return Status("degraded", version, previous, self.url, strange)
        shares = {self._version(now, id): percent for id, percent in now.traffic.items() if percent}
        if len(shares) > 1:
            words = ", ".join(f"{name} gets {percent} %" for name, percent in shares.items())
            return Status("moving", version, previous, self.url, f"{words} of the requests")
        if not shares:
            return Status("down", "", previous, "", "no version gets requests")
        return Status("serving", version, previous, self.url, f"{version} serves at {self.url}")

    def _environment(self) -> dict[str, str]:
        """Return the settings of the service for the container. Raise InputError for what cannot be used there."""
        given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
        ServeSettings.read({**given, f"{PREFIX}PLATFORM": "vertex"})
        return given

    def _model(self, version: Version, environment: Mapping[str, str]) -> str:
        settings = self._settings
        what = [version.digest, settings.image, settings.role, settings.instance, settings.instances, environment]
        return f"{settings.name}-{version.name}-{digest_json(what)[:ENTRY]}"

    def _version(self, now: VertexEndpoint, id: str) -> str:
        return now.deployed.get(id, "").removeprefix(f"{self._settings.name}-").partition("-")[0]

    def _look(self) -> VertexEndpoint | None:
        """Return the endpoint. Raise InputError if it is not as a deployment left it."""
        now = self._api.look(self._settings.name)
        if now and (strange := self._strange(now)):
            raise InputError(strange, where=self.url, fix="Give another --name, or undo that change")
        return now

    def _require_endpoint(self) -> VertexEndpoint:
        now = self._look()
        if now is None:
            raise InputError("there is no version to roll back to", where=self.url, fix="Deploy one by its name")
        return now

    def _strange(self, now: VertexEndpoint) -> str:
        """Return what somebody else has done to the endpoint, or an empty text."""
        if MARK not in now.labels:
            return "this endpoint was not made by `assay deploy`"
        foreign = [name or id for id, name in now.deployed.items() if deployed_id(name) != id]
        return f"somebody else changed this endpoint: it has the model {foreign[0]}" if foreign else ""

    def _check(self, version: Version, model: str, now: VertexEndpoint | None, log: Log) -> None:
        """Answer the golden documents on an endpoint of their own, which is deleted then."""
        name = f"{self._settings.name}-check"
        try:
            there = self._api.look(name)
            if there and any(each != model for each in there.deployed.values()):
                raise InputError(
                    "another version is being checked", where=name, fix="Wait; if no command runs, delete that endpoint"
                )
            try:
                self._api.create(name)
                self._api.deploy(name, model, first=True, instances=1, most=1)
                with Registry(self._settings.registry).open(version.name) as folder:
                    report = check_vertex(folder, version.name, self._google, self._api.path(name))
                report.require()
            finally:
                self._remove_check(name, log)
        except InputError as error:
            raise self._failed(version.name, now, str(error)) from error
        log.add(f"golden documents: off by at most {report.worst:.1g} labels, allowed {report.tolerance:g}")

    def _remove_check(self, name: str, log: Log) -> None:
        try:
            self._api.delete(name)
        except InputError as error:
            # It must not hide why the check failed.
            log.add(f"{name} could not be deleted, and costs its replica: {error}")

    def _put_beside(self, version: str, model: str, now: VertexEndpoint | None, log: Log) -> VertexEndpoint:
        """Deploy a checked model to the endpoint of the clients, without requests unless it is the first."""
        settings = self._settings
        if now is None:
            self._api.create(settings.name)
        first = now is None or not now.serving
        most = settings.most or settings.instances
        try:
            if now and not first:
                # Before the model is there, so that a rollback never takes it for one that has served.
                self._api.send(now, now.traffic, coming=model)
            self._api.deploy(settings.name, model, first=first, instances=settings.instances, most=most)
        except ApiError as error:
            raise self._failed(version, now, str(error)) from error
        log.add(f"{version} is deployed to {settings.name}")
        return self._require_endpoint()

    def _bake(self, version: Version, now: VertexEndpoint, id: str, before: str, log: Log) -> None:
        """Give a version a share of the requests and watch its answers. Send all back if one is wrong."""
        settings = self._settings
        share = round(settings.share)
        try:
            if now.traffic.get(id) != share:
                self._api.send(now, {id: share, before: 100 - share}, left="")
                now = self._require_endpoint()
            log.add(f"{version.name} gets {share} % of the requests for {settings.bake:g} s")
            deadline = time.monotonic() + settings.bake
            with Registry(settings.registry).open(version.name) as folder:
                both, tolerance = (version.name, self._version(now, before)), tolerance_of(folder)
                while True:
                    probe_vertex(folder, both, self._google, now.name, tolerance)
                    if time.monotonic() >= deadline:
                        return
                    time.sleep(min(settings.poll, max(0.0, deadline - time.monotonic())))
        except InputError as error:
            raise self._sent_back(version.name, id, before, str(error), log) from error

    def _sent_back(self, version: str, id: str, before: str, why: str, log: Log) -> FailedDeploymentError:
        """Send all requests to the version before, and remove the failed one. Return the error to raise."""
        try:
            now = self._require_endpoint()
            serving = self._version(now, before)
            self._api.send(now, {before: 100, id: 0}, coming="")
            with suppress(InputError):
                self._api.undeploy(self._settings.name, id)
            outcome = f"{serving} gets all requests again"
        except InputError as error:
            serving, outcome = "", f"the way back is not confirmed: {error}"
        log.add(outcome)
        return FailedDeploymentError(
            f"version {version} was not deployed, {outcome}. Why: {why}",
            version=version,
            serving=serving,
            where=self.url,
        )

    def _failed(self, version: str, now: VertexEndpoint | None, why: str) -> FailedDeploymentError:
        serving = self._version(now, now.serving) if now else ""
        outcome = f"{serving} still serves" if serving else "nothing serves"
        return FailedDeploymentError(
            f"version {version} was not deployed, {outcome}. Why: {why}",
            version=version,
            serving=serving,
            where=self.url,
        )

    def _tidy(self, now: VertexEndpoint, log: Log) -> None:
        """Remove all models but the serving one and the one before it: each costs its replicas."""
        for id in now.deployed:
            if id not in (now.serving, now.before):
                self._api.undeploy(self._settings.name, id)
                log.add(f"{self._version(now, id)} was removed")
