"""A cluster as a target: the image stays the same, and the init container of the pods fetches a version (`fetch`).

The Deployment of infra/kubernetes never has too few ready pods (maxUnavailable 0), and a pod is ready only after its
golden documents passed. So the old version serves until the new one is ready, even if this process dies.
"""

import time
from collections.abc import Callable

from assay.deployment.cluster import (
    FIRST_PAUSE,
    FIRST_POLL,
    Cluster,
    KubernetesSettings,
    UnreachableError,
    UnsettledError,
)
from assay.deployment.rollout import Rollout, Trouble, troubles
from assay.deployment.target import Deployed, FailedDeploymentError, History, Log, Status
from assay.errors import InputError


class _GaveUpError(Exception):
    """A rollout will not complete. The message is the reason."""


class KubernetesTarget:
    """See `Target`. An unknown outcome is reported as unknown; the same command, run again, completes it."""

    def __init__(self, settings: KubernetesSettings) -> None:
        """Raise InputError if no cluster is configured."""
        self._settings = settings
        self._cluster = Cluster(settings)
        self.url = settings.url or f"http://{settings.name}.{settings.namespace}.svc"

    def deploy(self, version: str) -> Deployed:
        """See `Target`. Raise InputError if the Deployment is missing, paused, or cannot be changed."""
        log = Log()

        def decide(now: Rollout) -> History | None:
            # Wanted already: an interrupted command changed it, and this one only waits for the rollout.
            return None if now.history.wanted == version else now.history.forward(version, proved=now.proved)

        before = self._cluster.look()
        if before.history.wanted == version and before.complete:
            log.add(f"{version} serves already")
            return Deployed(version, before.history.previous, False, self.url, log.events)
        self._change(decide)
        log.add(f"{self._cluster.where} is to serve {version}")
        try:
            done = self._wait(version, log)
        except UnreachableError as error:
            raise self._unknown(version, error) from error
        except _GaveUpError as error:
            log.add(f"{version} is abandoned: {error}")
            raise self._restore(version, str(error), log) from error
        return Deployed(version, done.history.previous, True, self.url, log.events)

    def rollback(self) -> Deployed:
        """See `Target`. A rollout that is still under way is abandoned."""
        log = Log()

        def decide(now: Rollout) -> History | None:
            # An interrupted rollback changed it already.
            if now.history.left and now.history.wanted:
                return None
            if not now.history.previous:
                raise InputError(
                    "there is no version to roll back to", where=self._cluster.where, fix="Deploy one by its name"
                )
            return now.history.back()

        before = self._cluster.look()
        if before.history.left and before.complete:
            log.add(f"{before.history.wanted} serves again already")
            return Deployed(before.history.wanted, "", False, self.url, log.events)
        version = self._change(decide).history.wanted
        log.add(f"{self._cluster.where} is to serve {version} again")
        try:
            self._wait(version, log)
        except UnreachableError as error:
            raise self._unknown(version, error) from error
        except _GaveUpError as error:
            now = self._cluster.look()
            raise FailedDeploymentError(
                f"{version} could not be restored: {error}. {now.available} pods are ready",
                version=version,
                serving=before.history.wanted if now.available else "",
                where=self._cluster.where,
            ) from error
        return Deployed(version, "", True, self.url, log.events)

    def status(self) -> Status:
        """See `Target`."""
        now = self._cluster.look()
        wanted, previous, words = now.history.wanted, now.history.previous, now.in_words()
        if not wanted:
            return Status("nothing", "", previous, "", "no version was deployed")
        if now.complete:
            return Status("serving", wanted, previous, self.url, f"{wanted} serves at {self.url}: {words}")
        words = "; ".join([words, *(each.words for each in self._troubles(now))])
        if not now.available:
            return Status("down", "", previous, "", f"no pod is ready: {words}")
        # Proved and not complete: pods were lost after the rollout. Not proved: the previous version answers.
        if now.proved:
            return Status("degraded", wanted, previous, self.url, words)
        return Status("moving", previous, previous, self.url, f"the rollout of {wanted} is under way: {words}")

    def _change(self, decide: Callable[[Rollout], History | None]) -> Rollout:
        """Apply the history that `decide` returns. Decide again if the Deployment changed or an answer was lost."""
        last = ""
        for attempt in range(self._settings.attempts):
            now = self._cluster.look()
            history = decide(now)
            if now.paused:
                raise InputError(
                    "the rollout is paused",
                    where=self._cluster.where,
                    fix=f"`kubectl rollout resume deployment/{self._settings.name}`",
                )
            if history is None:
                return now
            try:
                return self._cluster.change(now.changed(history))
            except UnsettledError as error:
                last = str(error)
            time.sleep(FIRST_PAUSE * 2**attempt)
        raise UnreachableError(
            f"the Deployment could not be changed in {self._settings.attempts} tries: {last}",
            where=self._cluster.where,
            fix="The previous version still serves; run the same command again",
        )

    def _wait(self, version: str, log: Log) -> Rollout:
        """Wait until every pod has that version. Raise _GaveUpError with the reason if that will not happen."""
        deadline, hopeless_since, printed, pause = time.monotonic() + self._settings.within, 0.0, "", FIRST_POLL
        while True:
            now = self._cluster.look()
            if now.history.wanted != version:
                raise InputError(
                    f"{version} was replaced during its rollout: {now.history.wanted or 'no version'} is wanted now",
                    where=self._cluster.where,
                    fix="Check `assay deployment status`, and decide again",
                )
            if (words := now.in_words()) != printed:
                log.add(words)
                printed, pause = words, FIRST_POLL
            if now.complete:
                return now
            found = self._troubles(now)
            why = "; ".join(each.words for each in found) or now.message or "its pods do not become ready"
            if now.failed:
                why = f"no progress within progressDeadlineSeconds: {why}"
            # After a failed rollout the cluster reports that failure of the next one, too, for a moment.
            if not (now.failed or any(each.hopeless for each in found)):
                hopeless_since = 0.0
            elif not hopeless_since:
                hopeless_since = time.monotonic()
            elif time.monotonic() - hopeless_since > self._settings.patience:
                raise _GaveUpError(why)
            if time.monotonic() > deadline:
                raise _GaveUpError(f"not complete after {self._settings.within:g} s: {why}")
            time.sleep(min(pause, self._settings.poll))
            pause *= 2

    def _troubles(self, now: Rollout) -> list[Trouble]:
        return troubles(self._cluster.pods(now.selector), now.history.wanted)

    def _restore(self, version: str, why: str, log: Log) -> InputError:
        """Roll a failed version back. Return the error to raise, which names the version that serves then."""

        def decide(now: Rollout) -> History | None:
            # Another command may have replaced the failed version: its rollout is left alone.
            return now.history.back() if now.history.wanted == version else None

        serving, fix = "", ""
        try:
            now = self._change(decide)
            serving = now.history.wanted
            if not serving:
                outcome = "nothing served before, and nothing serves now"
            else:
                self._wait(serving, log)
                outcome = f"{serving} was restored and serves"
        except (_GaveUpError, InputError) as error:
            # The failure of the rollback must not hide why the version failed.
            outcome = f"its rollback is not confirmed: {error}"
            if serving:
                outcome = f"the rollback to {serving} has begun, but is not complete: {error}"
            fix = "The pods that were ready still serve. Check `assay deployment status`, and try `rollback` again"
        log.add(outcome)
        return FailedDeploymentError(
            f"version {version} was not deployed, {outcome}. Why: {why}",
            version=version,
            serving=serving,
            where=self._cluster.where,
            fix=fix,
        )

    def _unknown(self, version: str, error: UnreachableError) -> InputError:
        return UnreachableError(
            f"the rollout of {version} has begun, and its outcome is unknown: {error}",
            fix="The old pods serve until it is ready; run the same command again",
        )
