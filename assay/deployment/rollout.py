"""The state of a Kubernetes Deployment, read from its fields. Nothing here calls a cluster.

The deployed versions are in annotations of the Deployment, the wanted one is in an annotation of its pods:

    metadata.annotations:                assay/history: "<version> <version>"   assay/left: <version>
    spec.template.metadata.annotations:  assay/version: <version>

One patch changes them together, so that a command that dies leaves no state in between.
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
"""Reasons of waiting containers that rarely start by themselves."""


@dataclass(frozen=True)
class Rollout:
    """A Deployment at one moment."""

    history: History
    resource_version: str
    """Version of the object. A patch with it is refused after another change."""
    observed: bool
    """True if the other fields describe the current specification, and not the previous one."""
    reason: str
    """Reason of the condition Progressing."""
    message: str
    """Message of the condition ReplicaFailure, such as an exceeded quota; empty if there is none."""
    replicas: int
    """Wanted number of pods."""
    updated: int
    """Pods of the wanted version."""
    available: int
    """Pods of any version that are ready."""
    total: int
    """Pods of any version."""
    paused: bool
    selector: str
    """Label selector of the pods."""

    @classmethod
    def read(cls, found: Any) -> "Rollout":
        """Read a V1Deployment. Changes by other means, such as `kubectl rollout undo`, are respected."""
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
        """Return True if every pod has the wanted version and is ready, as in `kubectl rollout status`."""
        return self.observed and self.replicas == self.updated == self.total == self.available > 0

    @property
    def proved(self) -> bool:
        """Return True if the rollout of the wanted version has been complete at any time."""
        # The reason stays after a completed rollout, also if pods are lost later.
        return self.complete or (self.observed and self.reason == "NewReplicaSetAvailable")

    @property
    def failed(self) -> bool:
        """Return True if the cluster reports that the rollout exceeded its deadline."""
        return self.observed and self.reason == "ProgressDeadlineExceeded"

    def in_words(self) -> str:
        """Return the progress as a sentence."""
        if not self.observed:
            return "the rollout has not begun"
        return (
            f"{self.updated} of {self.replicas} pods have {self.history.wanted}, {self.available} pods in all are ready"
        )

    def changed(self, history: History) -> dict[str, Any]:
        """Return the merge patch to another history. The cluster refuses it if the Deployment changed meanwhile."""
        return {
            "metadata": {
                "resourceVersion": self.resource_version,
                # In a merge patch None removes a key.
                "annotations": {HISTORY: " ".join(history.versions) or None, LEFT: history.left or None},
            },
            "spec": {"template": {"metadata": {"annotations": {VERSION: history.wanted or None}}}},
        }


def seen(history: History, meant: str) -> History:
    """Correct a history by `meant`, the version in the annotation of the pods, which decides what runs."""
    if meant == history.wanted:
        return history
    if meant in history.versions:
        # An undo by other means: the versions after it are undone.
        return History(history.versions[: history.versions.index(meant) + 1], left=history.wanted)
    return history.forward(meant) if meant else History(left=history.wanted)


@dataclass(frozen=True)
class Trouble:
    """A problem of a pod that is not ready."""

    words: str
    hopeless: bool
    """True if it rarely passes by itself."""


def troubles(pods: Iterable[Any], version: str) -> list[Trouble]:
    """Return the problems of the pods (V1Pod) of a version, each different one once."""
    found: dict[str, Trouble] = {}
    for pod in pods:
        if (pod.metadata.annotations or {}).get(VERSION) != version or pod.status is None:
            continue
        for each in (*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])):
            waiting = each.state.waiting if each.state else None
            # The other two are steps of every start.
            if waiting is None or waiting.reason in (None, "PodInitializing", "ContainerCreating"):
                continue
            ended = each.last_state.terminated if each.last_state else None
            # The last line of a container that ended, such as an error of `fetch`, explains more than "back-off".
            message = (ended.message if ended and ended.message else waiting.message) or ""
            last = [line.strip() for line in message.splitlines() if line.strip()][-1:]
            words = f"{each.name}: {': '.join([waiting.reason, *last])}"
            found[words] = Trouble(words, waiting.reason in HOPELESS)
        for condition in pod.status.conditions or []:
            if condition.type == "PodScheduled" and condition.status == "False":
                words = f"no node has room for it: {condition.message}"
                # A cluster with an autoscaler may add a node.
                found[words] = Trouble(words, False)
    return list(found.values())
