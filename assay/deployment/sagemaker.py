"""SageMaker as a target: a version is checked on an endpoint of its own, then takes over by a blue/green update.

The golden documents are answered twice before any client is: the container scores them before `/ping` answers 200, and
this module sends them through InvokeEndpoint to a second endpoint, `NAME-check`, of one instance, which exists for the
check alone. A variant of weight 0 on the endpoint of the clients would need two further updates of it, and
a version that cannot start would fail on the clients' side. The update itself (canary, waiting, alarms, the way back)
is SageMaker's own, and goes on if this process dies.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from assay.cloud import require_existing, require_names
from assay.deployment.golden import check_sagemaker
from assay.deployment.sagemaker_endpoint import LEFT, MARK, NEXT, Endpoint, SageMaker, version_of
from assay.deployment.sagemaker_settings import SageMakerSettings
from assay.deployment.target import Deployed, FailedDeploymentError, Log, Status
from assay.errors import InputError
from assay.registry import Registry, Version
from assay.serving import PREFIX, ServeSettings
from assay.storage import digest_json

CHECK_SECONDS = 3_600
"""Age from which an endpoint of a check is what an interrupted command left."""
ENTRY = 8
"""Hex digits of the specification in a name."""


class SageMakerTarget:
    """See `Target`. The same command again completes an interrupted one."""

    def __init__(self, settings: SageMakerSettings) -> None:
        """Raise InputError if the region or profile does not exist. Calls nothing."""
        self._settings = settings
        self._api = SageMaker(settings)
        self.url = f"sagemaker://{self._api.aws.region}/{settings.name}"

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raise InputError if role, image, bucket or alarms cannot be used; nothing is changed then."""
        log = Log()
        registered = Registry(self._settings.registry).get(version)
        require_names(self._api.aws, self._settings.role, self._settings.image)
        self._settings.bucket()
        environment = self._environment()
        entry = self._entry(registered, environment)
        now = self._look()
        if now and now.moving and now.coming != entry:
            to = version_of(now.coming) or "no version of ours"
            raise InputError(
                f"another update is under way: {now.status.lower()}, to {to}",
                where=self.url,
                fix="Wait for its end: `assay deployment status`",
            )
        if now and now.status == "InService" and now.config == self._config(entry) and not now.coming:
            log.add(f"{version} serves already")
            return Deployed(version, version_of(now.history.previous), False, self.url, log.events)
        if not (now and now.coming == entry and (now.moving or now.config == self._config(entry))):
            self._require_usable()
            self._api.prepare(self._config(entry), registered, environment)
            self._check(registered, entry, log)
            now = self._begin(entry, log)
        return self._finish(now, entry, log)

    def rollback(self) -> Deployed:
        """See `Target`. All traffic moves at once: the version has served before."""
        log = Log()
        now = self._require_endpoint()
        history = now.history
        if now.coming and now.status == "InService" and now.config == self._config(now.coming):
            history = history.forward(now.coming)  # its deployment was interrupted at its last step
        if now.moving:
            raise InputError(f"an update is under way: {now.status.lower()}", where=self.url, fix="Wait for its end")
        if history.left and now.config == self._config(history.wanted):
            log.add(f"{version_of(history.wanted)} serves again already")
            return Deployed(version_of(history.wanted), "", False, self.url, log.events)
        if not history.previous:
            raise InputError("there is no version to roll back to", where=self.url, fix="Deploy one by its name")
        entry, after = history.previous, history.back()
        if not self._api.has_config(self._config(entry)):
            raise InputError(
                f"the configuration {self._config(entry)} was deleted",
                where=self.url,
                fix=f"`assay deploy {version_of(entry)} --target sagemaker`",
            )
        self._api.tag(now, history, coming=entry)
        self._api.update(now, self._config(entry), canary=False)
        done = self._wait(self._settings.name, f"the way back to {version_of(entry)}", log)
        if done.config != self._config(entry) or done.status != "InService":
            self._api.tag(done, history)
            raise FailedDeploymentError(
                f"{version_of(entry)} could not be restored: {done.why or done.status}",
                version=version_of(entry),
                serving=version_of(history.wanted),
                where=self.url,
            )
        self._api.tag(done, after)
        log.add(f"{version_of(entry)} serves again")
        return Deployed(version_of(entry), "", True, self.url, log.events)

    def status(self) -> Status:
        """See `Target`."""
        now = self._api.look(self._settings.name)
        if now is None:
            return Status("nothing", "", "", "", "no version was deployed")
        wanted, previous = version_of(now.history.wanted), version_of(now.history.previous)
        strange = self._strange(now)
        if strange:
            return Status("degraded", wanted, previous, self.url, strange)
        if now.status == "InService" and now.config == self._config(now.history.wanted):
            words = f"{wanted} serves at {self.url} on {now.instances} instances"
            if now.coming:
                words += f"; an update to {version_of(now.coming)} was begun and did not take place"
            return Status("serving", wanted, previous, self.url, words)
        if now.moving:
            words = f"{now.status.lower()}, to {version_of(now.coming)}; {wanted or 'nothing'} served before"
            return Status("moving", wanted, previous, self.url, words)
        if now.status == "InService":
            words = f"{version_of(now.coming)} serves, and its deployment was interrupted: run the same command again"
            return Status("degraded", version_of(now.coming), wanted, self.url, words)
        return Status("down", "", previous, "", f"{now.status}: {now.why or 'no reason is given'}")

    def _environment(self) -> dict[str, str]:
        """Return the settings of the service for the container. Raise InputError for what cannot be used there."""
        given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
        given[f"{PREFIX}PLATFORM"] = "sagemaker"
        ServeSettings.read(given)
        return given

    def _entry(self, version: Version, environment: dict[str, str]) -> str:
        settings = self._settings
        what = [version.digest, settings.image, settings.role, settings.instance, settings.instances, environment]
        return f"{version.name}-{digest_json(what)[:ENTRY]}"

    def _config(self, entry: str) -> str:
        return f"{self._settings.name}-{entry}"

    def _look(self) -> Endpoint | None:
        """Return the endpoint of the clients. Raise InputError if it is not as a deployment left it."""
        now = self._api.look(self._settings.name)
        if now and (strange := self._strange(now)):
            raise InputError(strange, where=self.url, fix="Give another --name, or delete or restore that endpoint")
        return now

    def _require_endpoint(self) -> Endpoint:
        now = self._look()
        if now is None:
            raise InputError("there is no version to roll back to", where=self.url, fix="Deploy one by its name")
        return now

    def _strange(self, now: Endpoint) -> str:
        """Return what somebody else has done to the endpoint, or an empty text."""
        if MARK not in now.tags:
            return "this endpoint was not made by `assay deploy`"
        known = {self._config(entry) for entry in (now.history.wanted, now.coming) if entry}
        if now.config and now.config not in known:
            return f"somebody else changed this endpoint: it serves {now.config}"
        return ""

    def _require_usable(self) -> None:
        """Raise InputError if the role, the image, the place of model data or an alarm cannot be used."""
        require_existing(self._api.aws, self._settings.role, self._settings.image)
        bucket, _ = self._settings.bucket()
        s3 = self._api.aws.client("s3")
        if self._api.aws.find(f"bucket {bucket} cannot be read", s3.head_bucket, Bucket=bucket) is None:
            raise InputError(f"there is no bucket {bucket}", where="--place", fix="Make it, or name another")
        self._api.require_alarms()

    def _check(self, version: Version, entry: str, log: Log) -> None:
        """Answer the golden documents on an endpoint of their own. It and a version that fails are deleted."""
        name, model = f"{self._settings.name}-check", self._config(entry)
        now = self._api.look(self._settings.name)
        serving = version_of(now.history.wanted) if now and now.status == "InService" else ""
        try:
            with self._check_endpoint(name, model, log):
                done = self._wait(name, f"the check of {version.name}", log)
                if done.status != "InService":
                    logs = f"its log is in CloudWatch, /aws/sagemaker/Endpoints/{name}"
                    raise InputError(f"{done.why or done.status}; {logs}", where=name)
                with Registry(self._settings.registry).open(version.name) as folder:
                    report = check_sagemaker(folder, version.name, self._api.aws, name)
                report.require()
                log.add(f"golden documents: off by at most {report.worst:.1g} labels, allowed {report.tolerance:g}")
        except InputError as error:
            # A version that served before stays ready for a rollback.
            if not (now and entry in now.history.versions):
                with suppress(InputError):
                    self._api.forget(model)
            raise FailedDeploymentError(
                f"version {version.name} was not deployed, {_still(serving)}. Why: {error}",
                version=version.name,
                serving=serving,
                where=self.url,
            ) from error

    @contextmanager
    def _check_endpoint(self, name: str, model: str, log: Log) -> Iterator[None]:
        """Make the endpoint of a check, or take over that of the same check. Delete it at the end."""
        config = self._api.prepare_check(model)
        there = self._api.look(name)
        if there and there.config != config:
            if there.age < CHECK_SECONDS:
                raise InputError(
                    f"another version is being checked: {there.config}",
                    where=name,
                    fix=f"Wait; if no command runs, `aws sagemaker delete-endpoint --endpoint-name {name}`",
                )
            self._api.delete(name)
            self._wait(name, "the end of an old check", log)
            there = None
        try:
            if there is None:
                self._api.create(name, config, {MARK: "check"})
                log.add(f"{name} is made for the check")
            yield
        finally:
            # Ctrl-C, too: an endpoint that stays costs money.
            self._api.delete(name)

    def _begin(self, entry: str, log: Log) -> Endpoint:
        """Make or update the endpoint of the clients. It was checked that nobody else has changed it."""
        name, config, now = self._settings.name, self._config(entry), self._look()
        if now and now.status in ("Failed", "OutOfService"):
            # The only thing that SageMaker allows then (API reference, DescribeEndpoint).
            self._api.delete(name)
            self._wait(name, "the end of the failed endpoint", log)
            now = None
        if now is None:
            self._api.create(name, config, {NEXT: entry, LEFT: ""})
            log.add(f"endpoint {name} is made with {version_of(entry)}")
        else:
            # Before the update, so that an interrupted command is known as the one that began it.
            self._api.tag(now, now.history, coming=entry)
            self._api.update(now, config, canary=True)
            first = self._settings.canary(now.instances)
            how = f"{first} of {now.instances} instances first" if first else "all traffic at once"
            log.add(f"endpoint {name} is updated to {version_of(entry)}: {how}")
            if not self._settings.alarms:
                log.add("no alarm is named: nothing but a failed health check makes this update go back")
        made = self._look()
        assert made is not None
        return made

    def _finish(self, now: Endpoint, entry: str, log: Log) -> Deployed:
        """Wait for the end of an update, and record it. Raise FailedDeploymentError if SageMaker went back."""
        before, version = now.history, version_of(entry)
        done = self._wait(self._settings.name, f"the update to {version}", log)
        if done.config == self._config(entry) and done.status == "InService":
            after = before.forward(entry)
            self._api.tag(done, after)
            if self._settings.most:
                self._api.scale(self._settings.name)
            log.add(f"{version} serves")
            return Deployed(version, version_of(after.previous), True, self.url, log.events)
        serving = version_of(before.wanted) if done.status == "InService" else ""
        if not before.wanted:
            self._api.delete(self._settings.name)
        else:
            self._api.tag(done, before)
        why = (
            done.why or f"SageMaker went back to {serving}, as an alarm or a health check asks" if serving else done.why
        )
        raise FailedDeploymentError(
            f"version {version} was not deployed, {_still(serving)}. Why: {why or done.status}",
            version=version,
            serving=serving,
            where=self.url,
        )

    def _wait(self, name: str, what: str, log: Log) -> Endpoint:
        """Wait until an endpoint moves no more, and return it. One that is gone has the status Gone."""
        deadline, shown = time.monotonic() + self._settings.within, ""
        while True:
            now = self._api.look(name)
            if now is None:
                return Endpoint(name, "", "Gone", "", "", 0, 0.0)
            if now.status != shown:
                log.add(f"{name}: {now.status}")
                shown = now.status
            if not now.moving:
                return now
            if time.monotonic() > deadline:
                raise InputError(
                    f"{what} is not done after {self._settings.within:g} s: {now.status}",
                    where=name,
                    fix="What served before serves until SageMaker ends it; the same command again waits further",
                )
            time.sleep(self._settings.poll)


def _still(serving: str) -> str:
    return f"{serving} still serves" if serving else "nothing serves"
