"""One Deployment of a Kubernetes cluster and its pods, through the official client. No other module imports it.

The client is imported inside functions: it takes a second and fifty megabytes, which only a process that calls a
cluster should spend.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.deployment.rollout import Rollout
from assay.errors import InputError

T = TypeVar("T")

FIRST_POLL = 0.1
"""Seconds before the state is read again after a change of it."""
FIRST_PAUSE = 0.5
"""Seconds before the second try. Each further pause is twice as long."""


@dataclass(frozen=True)
class KubernetesSettings:
    """The Deployment, its cluster, and time limits."""

    namespace: str = "assay"
    name: str = "assay-serving"
    """Name of the Deployment and of its Service."""
    context: str = ""
    """Context of the kubeconfig (default: its current one)."""
    kubeconfig: str = ""
    """File of the kubeconfig (default: in a pod its service account, else ~/.kube/config)."""
    url: str = ""
    """URL of the service from here (default: its name in the cluster)."""
    within: float = 900.0
    """Seconds in which a rollout must be complete; above the Deployment's progressDeadlineSeconds."""
    patience: float = 60.0
    """Seconds for which a pod may have a problem that rarely passes, such as an image that cannot be pulled, and for
    which the cluster may report no progress."""
    poll: float = 2.0
    """Seconds between two requests for the state, at most: the first pauses after a change are shorter."""
    request_seconds: float = 30.0
    """Seconds for one answer of the API server."""
    attempts: int = 6
    """Tries of a request, with pauses of 0.5 s, 1 s, 2 s, …"""

    def __post_init__(self) -> None:
        for name in ("within", "patience", "poll", "request_seconds", "attempts"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}", fix="Give a number above 0")
        if not self.namespace or not self.name:
            raise InputError("the namespace or the name of the Deployment is empty", fix="Give both")


class UnreachableError(InputError):
    """The API server failed in every try."""


class UnsettledError(Exception):
    """The outcome of a change is unknown, or the Deployment changed meanwhile: read it again, and decide again."""


class Cluster:
    """One Deployment of a cluster."""

    def __init__(self, settings: KubernetesSettings) -> None:
        """Raise InputError if no cluster is configured."""
        from kubernetes import client, config

        self._settings = settings
        self.where = f"Deployment {settings.name} in {settings.namespace}"
        configuration = client.Configuration()
        try:
            if not (settings.kubeconfig or settings.context) and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=configuration)
            else:
                config.load_kube_config(
                    config_file=settings.kubeconfig or None,
                    context=settings.context or None,
                    client_configuration=configuration,
                )
        except (config.ConfigException, OSError, TypeError, ValueError) as error:
            raise InputError(
                f"no cluster is configured: {error}",
                where=settings.kubeconfig or "kubeconfig",
                fix="Name a kubeconfig in KUBECONFIG, and a context in it",
            ) from error
        configuration.retries = False  # the client would repeat some requests by itself, also a change
        api = client.ApiClient(configuration)
        self._apps, self._core = client.AppsV1Api(api), client.CoreV1Api(api)
        self._common = {"namespace": settings.namespace, "_request_timeout": settings.request_seconds}

    def look(self) -> Rollout:
        """Read the Deployment. Raise InputError if it does not exist, UnreachableError if the API server fails."""
        found = self._try(lambda: self._apps.read_namespaced_deployment(name=self._settings.name, **self._common))
        return Rollout.read(found)

    def pods(self, selector: str) -> list[Any]:
        """Return the pods (V1Pod) with these labels, in no order. Raise as `look`."""
        found = self._try(lambda: self._core.list_namespaced_pod(label_selector=selector, **self._common))
        return list(found.items)

    def change(self, patch: dict[str, Any]) -> Rollout:
        """Send a merge patch once. Raise UnsettledError if its outcome is unknown, InputError if it is refused."""
        try:
            found = self._apps.patch_namespaced_deployment(
                name=self._settings.name, body=patch, _content_type="application/merge-patch+json", **self._common
            )
        except Exception as error:
            # 409: the resource version in the patch is not the current one.
            if _passes(error) or getattr(error, "status", 0) == 409:
                raise UnsettledError(_words(error)) from error
            raise self._refused(error) from error
        return Rollout.read(found)

    def _try(self, call: Callable[[], T]) -> T:
        """Call, and repeat if the failure may pass. Only for requests that change nothing."""
        for attempt in range(self._settings.attempts):
            try:
                return call()
            except Exception as error:
                if not _passes(error):
                    raise self._refused(error) from error
                last = error
            if attempt + 1 < self._settings.attempts:
                time.sleep(FIRST_PAUSE * 2**attempt)
        raise UnreachableError(
            f"the API server failed {self._settings.attempts} times: {_words(last)}", where=self.where
        ) from last

    def _refused(self, error: Exception) -> Exception:
        """Return an InputError for a refusal of the server, and any other error unchanged."""
        from kubernetes.client import ApiException

        if not isinstance(error, ApiException):
            return error
        if error.status == 404:
            return InputError(
                "the Deployment does not exist", where=self.where, fix="`kubectl apply -k` an overlay first"
            )
        fix = "Use an account with the role assay-deployer" if error.status in (401, 403) else ""
        return InputError(f"the API server refuses: {_words(error)}", where=self.where, fix=fix)


def _passes(error: Exception) -> bool:
    """Return True if the same request may succeed a little later."""
    import urllib3
    from kubernetes.client import ApiException

    if isinstance(error, ApiException):
        return error.status == 429 or error.status >= 500
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


def _words(error: Exception) -> str:
    if status := getattr(error, "status", None):
        return f"{status} {getattr(error, 'reason', '')}"
    return f"{type(error).__name__}: {error}"
