"""What a Kubernetes Deployment says of itself, as this house reads it. Pure: no cluster is needed to think about it.

Which versions were deployed stands in annotations of the Deployment, the wanted one in an annotation of its pods:

    metadata.annotations:                assay/history: "<version> <version>"   assay/left: <version>
    spec.template.metadata.annotations:  assay/version: <version>

One patch changes them together, so that no state in between can be left by a command that dies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from assay.deployment.target import History

VERSION, HISTORY, LEFT = "assay/version", "assay/history", "assay/left"
HOPELESS = {
    *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
    *("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"),
}
"""Why a container waits that will hardly start by itself."""


@dataclass(frozen=True)
class Rollout:
    """A Deployment at one moment."""

    history: History
    resource_version: str
    """A change that was decided on this is refused once somebody else changed it."""
    observed: bool
    """Whether the rest speaks of the present wish, and not of the one before."""
    reason: str
    """Of its condition Progressing."""
    message: str
    replicas: int
    """Pods wanted."""
    updated: int
    """Pods of the wanted version, of `total`; `available`: pods of any version that are ready."""
    available: int
    total: int
    paused: bool
    selector: str
    """Labels of its pods."""

    @classmethod
    def read(cls, found: Any) -> "Rollout":
        """Of a V1Deployment. What people did to the pods by other means, such as `kubectl rollout undo`, counts."""
        status = found.status
        conditions = {each.type: each for each in (status.conditions or [])}
        progress = conditions.get("Progressing")
        failure = conditions.get("ReplicaFailure")
        annotations = found.metadata.annotations or {}
        history = History(tuple(annotations.get(HISTORY, "").split()), annotations.get(LEFT, ""))
        meant = (found.spec.template.metadata.annotations or {}).get(VERSION, "")
        labels = found.spec.selector.match_labels or {}
        return cls(
            history=seen(history, meant),
            resource_version=found.metadata.resource_version or "",
            observed=(status.observed_generation or 0) >= (found.metadata.generation or 0),
            reason=(progress.reason or "") if progress else "",
            message=(failure.message or "") if failure and failure.status == "True" else "",
            replicas=1 if found.spec.replicas is None else found.spec.replicas,
            updated=status.updated_replicas or 0,
            available=status.available_replicas or 0,
            total=status.replicas or 0,
            paused=bool(found.spec.paused),
            selector=",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        )

    @property
    def complete(self) -> bool:
        """Every pod is of the wanted version, and ready; as `kubectl rollout status` has it."""
        return self.observed and self.replicas == self.updated == self.total == self.available > 0

    @property
    def proved(self) -> bool:
        """Whether the wanted version has been complete at any time."""
        return self.complete or (self.observed and self.reason == "NewReplicaSetAvailable")

    @property
    def failed(self) -> bool:
        """Whether the cluster has given up waiting for progress."""
        return self.observed and self.reason == "ProgressDeadlineExceeded"

    def in_words(self) -> str:
        """How far it is."""
        if not self.observed:
            return "the cluster has not begun"
        return f"{self.updated} of {self.replicas} pods are of {self.history.wanted}, {self.available} of all are ready"

    def changed(self, history: History) -> dict[str, Any]:
        """The merge patch to another history; it holds only while nobody else changes the Deployment."""
        return {
            "metadata": {
                "resourceVersion": self.resource_version,
                "annotations": {HISTORY: " ".join(history.versions) or None, LEFT: history.left or None},
            },
            "spec": {"template": {"metadata": {"annotations": {VERSION: history.wanted or None}}}},
        }


def seen(history: History, meant: str) -> History:
    """The history in the light of what is wanted in truth."""
    if meant == history.wanted:
        return history
    if meant in history.versions:
        return History(history.versions[: history.versions.index(meant) + 1], left=history.wanted)
    return history.forward(meant) if meant else History(left=history.wanted)


@dataclass(frozen=True)
class Trouble:
    """Why a pod is not ready."""

    words: str
    hopeless: bool
    """Whether it will hardly pass by itself."""


def troubles(pods: Iterable[Any], version: str) -> list[Trouble]:
    """Of the pods (V1Pod) of a version; each different one once."""
    found: dict[str, Trouble] = {}
    for pod in pods:
        if (pod.metadata.annotations or {}).get(VERSION) != version or pod.status is None:
            continue
        for each in (*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])):
            waiting = each.state.waiting if each.state else None
            if waiting is None or waiting.reason in (None, "PodInitializing", "ContainerCreating"):
                continue
            ended = each.last_state.terminated if each.last_state else None
            said = (ended.message if ended and ended.message else waiting.message) or ""
            last = [line.strip() for line in said.splitlines() if line.strip()][-1:]
            words = f"{each.name}: {': '.join([waiting.reason, *last])}"
            found[words] = Trouble(words, waiting.reason in HOPELESS)
        for condition in pod.status.conditions or []:
            if condition.type == "PodScheduled" and condition.status == "False":
                words = f"no node takes it: {condition.message}"
                found[words] = Trouble(words, False)
    return list(found.values())
