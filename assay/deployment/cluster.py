"""The one place that speaks with Kubernetes: one Deployment and its pods, through the official client.

It is imported where a cluster is spoken with: it takes a second, and fifty megabytes that no other process needs.
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

FIRST_PAUSE = 0.5
"""Seconds before the second try; each further pause is twice as long."""


@dataclass(frozen=True)
class KubernetesSettings:
    """Which Deployment of which cluster, and how long to wait for it."""

    namespace: str = "assay"
    name: str = "assay-serving"
    """Of the Deployment and of its Service."""
    context: str = ""
    """Of the kubeconfig (default: its current one)."""
    kubeconfig: str = ""
    """File (default: in a pod its service account, else ~/.kube/config)."""
    url: str = ""
    """How the service is reached from here (default: by its name in the cluster)."""
    within: float = 900.0
    """Seconds in which a rollout has to be complete; above the Deployment's progressDeadlineSeconds."""
    patience: float = 60.0
    """Seconds for which a pod may have a trouble that hardly passes, such as an image that cannot be pulled, or the
    cluster may say that there is no progress."""
    poll: float = 2.0
    """Seconds between two looks."""
    request_seconds: float = 30.0
    """For one answer of the API server."""
    attempts: int = 6
    """Tries of one request, with pauses of half a second, one, two, …"""

    def __post_init__(self) -> None:
        for name in ("within", "patience", "poll", "request_seconds", "attempts"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}", fix="Give a number above 0")
        if not self.namespace or not self.name:
            raise InputError("no namespace or no name of a Deployment", fix="Name both")


class UnreachableError(InputError):
    """The API server does not answer as it should, again and again."""


class UnsettledError(Exception):
    """A change may have been made or not, or somebody else was faster: look again, and decide again."""


class Cluster:
    """A Deployment."""

    def __init__(self, settings: KubernetesSettings) -> None:
        """Raises InputError where nothing says how to reach a cluster."""
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
                f"no way to a cluster is known: {error}",
                where=settings.kubeconfig or "kubeconfig",
                fix="Name a kubeconfig and a context in it",
            ) from error
        configuration.retries = False  # the client would try some requests again by itself, and not say so
        api = client.ApiClient(configuration)
        self._apps, self._core = client.AppsV1Api(api), client.CoreV1Api(api)
        self._common = {"namespace": settings.namespace, "_request_timeout": settings.request_seconds}

    def look(self) -> Rollout:
        """Raises InputError where there is no such Deployment; UnreachableError where nobody says so."""
        found = self._try(lambda: self._apps.read_namespaced_deployment(name=self._settings.name, **self._common))
        return Rollout.read(found)

    def pods(self, selector: str) -> list[Any]:
        """V1Pod, in no order. Raises as `look`."""
        found = self._try(lambda: self._core.list_namespaced_pod(label_selector=selector, **self._common))
        return list(found.items)

    def change(self, patch: dict[str, Any]) -> Rollout:
        """Once. Raises UnsettledError where it is not known to have been made; InputError where it is refused."""
        try:
            found = self._apps.patch_namespaced_deployment(
                name=self._settings.name, body=patch, _content_type="application/merge-patch+json", **self._common
            )
        except Exception as error:
            if _passes(error) or getattr(error, "status", 0) == 409:
                raise UnsettledError(_words(error)) from error
            raise self._refused(error) from error
        return Rollout.read(found)

    def _try(self, call: Callable[[], T]) -> T:
        """Again and again where a failure may pass."""
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
        """In words that help; what is no answer of the server, unchanged."""
        from kubernetes.client import ApiException

        if not isinstance(error, ApiException):
            return error
        if error.status == 404:
            return InputError("there is none", where=self.where, fix="`kubectl apply -k` an overlay first")
        fix = "The role assay-deployer may do what this needs" if error.status in (401, 403) else ""
        return InputError(f"the API server refuses: {_words(error)}", where=self.where, fix=fix)


def _passes(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    import urllib3
    from kubernetes.client import ApiException

    if isinstance(error, ApiException):
        return error.status == 429 or error.status >= 500
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


def _words(error: Exception) -> str:
    if status := getattr(error, "status", None):
        return f"{status} {getattr(error, 'reason', '')}"
    return f"{type(error).__name__}: {error}"
