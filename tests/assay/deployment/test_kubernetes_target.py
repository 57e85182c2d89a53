"""A cluster as a target, against an API server that misbehaves: afterwards the old version serves, or the error names
what is unknown, and the same command completes the deployment."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster_stand_in import DEPLOYMENT, StandIn

from assay.deployment.cluster import KubernetesSettings
from assay.deployment.kubernetes import KubernetesTarget
from assay.deployment.target import FailedDeploymentError
from assay.errors import InputError

A, B, C = "a" * 12, "b" * 12, "c" * 12


@pytest.fixture
def target(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., KubernetesTarget]:
    monkeypatch.setattr("assay.deployment.cluster.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("assay.deployment.kubernetes.FIRST_PAUSE", 0.01)

    def make(**settings: Any) -> KubernetesTarget:
        given = {"poll": 0.02, "patience": 0.3, "within": 20.0, "request_seconds": 2.0, **settings}
        return KubernetesTarget(KubernetesSettings(kubeconfig=str(kubeconfig), **given))

    return make


def once(wrong: str, when: Callable[[str, str], bool], times: int = 1) -> Callable[[str, str, Any], str]:
    """Let the first `times` matching requests fail."""
    left = [times]

    def misbehave(method: str, path: str, handler: Any) -> str:
        if left[0] and when(method, path):
            left[0] -= 1
            return wrong
        return ""

    return misbehave


def patching(method: str, path: str) -> bool:
    return method == "PATCH"


def test_versions_follow_each_other_and_only_the_version_is_patched(cluster: StandIn, target: Callable) -> None:
    place = target()
    assert (place.status().state, place.status().version) == ("nothing", "")
    with pytest.raises(InputError, match="no version to roll back to"):
        place.rollback()

    first = place.deploy(A)
    assert (first.version, first.previous, first.changed) == (A, "", True)
    second = place.deploy(B)
    assert (second.version, second.previous, second.where) == (B, A, "http://assay-serving.assay.svc")
    assert second.events[-1].endswith(f"3 of 3 pods have {B}, 3 pods in all are ready")
    assert (cluster.serving, cluster.least_ready) == ({B}, 3)
    status = place.status()
    assert (status.state, status.version, status.previous) == ("serving", B, A)

    back = place.rollback()
    assert (back.version, back.previous, back.changed) == (A, "", True)
    assert cluster.serving == {A}
    for patch in cluster.patches:
        assert set(patch) == {"metadata", "spec"}
        assert set(patch["metadata"]) == {"annotations"}
        assert set(patch["spec"]["template"]["metadata"]["annotations"]) == {"assay/version"}
        assert set(patch["spec"]) == {"template"} and set(patch["spec"]["template"]) == {"metadata"}


def test_a_completed_call_is_not_repeated(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    place.deploy(B)
    before = len(cluster.patches)

    again = place.deploy(B)
    assert (again.changed, again.version, again.previous) == (False, B, A)
    assert place.rollback().changed is True
    assert place.rollback().changed is False, "a rollback is done once"
    assert place.rollback().version == A
    assert len(cluster.patches) == before + 1


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("never ready", "no progress within progressDeadlineSeconds: its pods do not become ready"),
        ("ErrImagePull", r'fetch: ErrImagePull: pull of "assay-serving": not found'),
        ("CrashLoopBackOff", "CrashLoopBackOff: fetch: model.safetensors is missing or not what was registered"),
    ],
)
def test_a_version_that_fails_is_rolled_back_and_the_old_one_serves_meanwhile(
    cluster: StandIn, target: Callable, reason: str, why: str
) -> None:
    place = target()
    place.deploy(A)
    cluster.bad[B] = reason

    with pytest.raises(FailedDeploymentError, match=why) as failed:
        place.deploy(B)

    assert f"version {B} was not deployed, {A} was restored and serves" in str(failed.value)
    assert (failed.value.version, failed.value.serving) == (B, A)
    assert (cluster.serving, cluster.wanted, cluster.least_ready) == ({A}, A, 3)
    assert place.status().version == A
    assert place.rollback().version == A, "it was restored already: no older version is"

    del cluster.bad[B]
    assert place.deploy(B).version == B, "the problem is solved"


def test_a_late_report_of_the_failed_rollout_does_not_fail_the_restored_one(cluster: StandIn, target: Callable) -> None:
    target().deploy(A)
    cluster.bad[B], cluster.stale = "never ready", 0.4

    with pytest.raises(FailedDeploymentError, match=f"{A} was restored and serves"):
        target(patience=2.0).deploy(B)


def test_a_first_version_that_fails_leaves_nothing_serving(cluster: StandIn, target: Callable) -> None:
    cluster.bad[A] = "never ready"
    with pytest.raises(FailedDeploymentError, match="nothing served before, and nothing serves now") as failed:
        target().deploy(A)
    assert failed.value.serving == ""
    assert (cluster.wanted, target().status().state) == ("", "nothing")


def test_a_rollout_that_takes_too_long_is_rolled_back_even_if_the_cluster_waits(
    cluster: StandIn, target: Callable
) -> None:
    target().deploy(A)
    cluster.bad[B], cluster.deadline = "never ready", 600
    with pytest.raises(FailedDeploymentError, match=r"not complete after 0\.5 s"):
        target(within=0.5).deploy(B)
    assert cluster.serving == {A}


@pytest.mark.parametrize("wrong", ["409", "500", "503", "429", "lost before", "lost in the middle"])
def test_a_change_that_fails_or_whose_answer_is_lost_is_made_once(
    cluster: StandIn, target: Callable, wrong: str
) -> None:
    place = target()
    place.deploy(A)
    cluster.misbehave = once(wrong, patching, times=2)

    done = place.deploy(B)

    assert (done.version, done.previous, done.changed) == (B, A, True)
    assert [patch["metadata"]["annotations"]["assay/history"] for patch in cluster.patches] == [A, f"{A} {B}"]

    cluster.misbehave = once(wrong, patching, times=2)
    assert place.rollback().version == A
    assert cluster.patches[-1]["metadata"]["annotations"] == {"assay/history": A, "assay/left": B}
    assert len(cluster.patches) == 3


@pytest.mark.parametrize("wrong", ["500", "lost before", "lost in the middle"])
def test_reading_is_tried_again(cluster: StandIn, target: Callable, wrong: str) -> None:
    count = [0]

    def every_third(method: str, path: str, handler: Any) -> str:
        count[0] += method == "GET"
        return wrong if method == "GET" and count[0] % 3 == 0 else ""

    cluster.misbehave = every_third
    assert target().deploy(A).version == A
    assert target().deploy(B).previous == A


def test_changes_that_are_always_refused_leave_the_serving_version(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    cluster.misbehave = once("409", patching, times=1000)
    with pytest.raises(
        InputError, match=r"the Deployment could not be changed in 6 tries: 409 .*The previous version still serves"
    ):
        place.deploy(B)
    assert (cluster.serving, cluster.wanted) == ({A}, A)


def test_after_a_real_conflict_the_change_is_decided_again(cluster: StandIn, target: Callable) -> None:
    """Another command deploys between the read and the change."""
    place = target()
    place.deploy(A)
    cluster.bad[C] = "never ready"

    def meanwhile(method: str, path: str, handler: Any) -> str:
        if method == "PATCH" and len(cluster.patches) == 1:
            with cluster.lock:
                cluster.patch(
                    {
                        "metadata": {"annotations": {"assay/history": f"{A} {C}"}},
                        "spec": {"template": {"metadata": {"annotations": {"assay/version": C}}}},
                    }
                )
        return ""

    cluster.misbehave = meanwhile
    done = place.deploy(B)
    assert (done.version, cluster.serving) == (B, {B})
    assert done.previous == A, "the other version never served, and is not restored"


def test_a_version_that_is_replaced_during_its_rollout_is_reported(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    cluster.tick = 0.15
    errors: list[Exception] = []

    def deploy() -> None:
        try:
            place.deploy(B)
        except InputError as error:
            errors.append(error)

    waiting = threading.Thread(target=deploy)
    waiting.start()
    while cluster.wanted != B:
        time.sleep(0.01)
    assert target().deploy(C).version == C
    waiting.join(20)
    assert f"{B} was replaced during its rollout: {C} is wanted now" in str(errors[0])
    assert cluster.serving == {C}


def test_the_outcome_in_a_silent_cluster_is_reported_as_unknown(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    silent = [False]

    def fall_silent(method: str, path: str, handler: Any) -> str:
        wrong = "500" if silent[0] else ""
        silent[0] = silent[0] or method == "PATCH"
        return wrong

    cluster.misbehave = fall_silent
    with pytest.raises(InputError, match=rf"the rollout of {B} has begun, and its outcome is unknown"):
        place.deploy(B)
    with pytest.raises(InputError, match="the API server failed 6 times: 500"):
        place.status()

    cluster.misbehave = lambda *_: ""
    done = place.deploy(B)
    assert (done.version, done.previous) == (B, A)
    assert len(cluster.patches) == 2, "the same command only waits for the rollout under way"


def test_a_failed_rollback_is_reported_and_completed_by_rollback(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    cluster.bad[B] = "never ready"
    cluster.misbehave = lambda method, *_: "500" if method == "PATCH" and cluster.wanted == B else ""
    with pytest.raises(FailedDeploymentError, match=r"its rollback is not confirmed: .* 6 tries") as failed:
        place.deploy(B)
    assert "The pods that were ready still serve" in str(failed.value)
    assert cluster.serving == {A}
    assert (place.status().state, place.status().version) == ("moving", A)

    cluster.misbehave = lambda *_: ""
    assert place.rollback().version == A
    assert (cluster.wanted, place.status().state) == (A, "serving")


def test_a_slow_server_is_waited_for_and_a_stuck_one_is_not(cluster: StandIn, target: Callable) -> None:
    def slow(seconds: float) -> Callable[..., str]:
        return lambda *_: time.sleep(seconds) or ""  # type: ignore[func-returns-value]

    cluster.misbehave = slow(0.1)
    assert target().deploy(A).version == A
    cluster.misbehave = slow(1.0)
    with pytest.raises(InputError, match=r"failed 2 times: .*timed out"):
        target(request_seconds=0.2, attempts=2).deploy(B)


def test_the_rollout_of_an_interrupted_deployment_can_be_abandoned(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    cluster.bad[B], cluster.deadline = "never ready", 600
    now = place._cluster.look()
    place._cluster.change(now.changed(now.history.forward(B)))  # the command dies here

    moving = place.status()
    assert (moving.state, moving.version) == ("moving", A)
    assert place.rollback().version == A
    assert cluster.serving == {A}


def test_changes_by_other_means_are_respected(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    place.deploy(B)
    with cluster.lock:  # kubectl rollout undo
        cluster.patch({"spec": {"template": {"metadata": {"annotations": {"assay/version": A}}}}})
    while cluster.serving != {A}:
        time.sleep(0.02)
    while place.status().state != "serving":
        time.sleep(0.02)
    assert place.status().version == A
    done = place.deploy(C)
    assert (done.version, done.previous) == (C, A)


def test_lost_pods_and_a_pause_are_reported(cluster: StandIn, target: Callable) -> None:
    place = target()
    place.deploy(A)
    cluster.bad[A] = "CrashLoopBackOff"
    while place.status().state == "serving":
        time.sleep(0.02)
    assert place.status().state == "down"
    del cluster.bad[A]
    cluster.object["spec"]["paused"] = True
    with pytest.raises(InputError, match="the rollout is paused"):
        place.deploy(B)


def test_a_missing_deployment_a_refusal_and_a_missing_cluster_are_reported(
    cluster: StandIn, target: Callable, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"the Deployment does not exist \(Deployment other in assay\)"):
        target(name="other").status()
    cluster.misbehave = lambda *_: "403"
    with pytest.raises(InputError, match=r"the API server refuses: 403 .*assay-deployer"):
        target().deploy(A)
    with pytest.raises(InputError, match="no cluster is configured"):
        KubernetesTarget(KubernetesSettings(kubeconfig=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="patience is 0"):
        KubernetesSettings(patience=0)
    assert [path for _, path in cluster.requests if path == DEPLOYMENT]
