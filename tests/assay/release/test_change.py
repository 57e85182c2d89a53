"""Changes of the version that a cluster serves: checked through its URL before the champion moves, or undone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cluster_stand_in import StandIn
from tiny_versions import Versions, registry_of

from assay import release
from assay.deployment import LocalTarget
from assay.deployment.target import FailedDeploymentError
from assay.errors import InputError
from assay.registry import CHAMPION, DecisionLog, Registry, promote


@pytest.fixture
def registry(versions: Versions, tmp_path: Path) -> Registry:
    """A registry whose first version is champion."""
    made = registry_of(versions, tmp_path)
    made.move_alias(CHAMPION, versions.first, who="test", why="begin", evidence={}, after=None)
    return made


def champion(registry: Registry) -> str:
    move = registry.alias(CHAMPION)
    return move.version if move else ""


def put_in_service(change: release.Change) -> None:
    """Do the steps in the order of the workflow."""
    try:
        served = release.move_champion(change, release.prove(change, release.deploy(change)))
        release.conclude(change, served)
    except InputError as error:
        release.restore(change, str(error))
        raise


@pytest.mark.full
def test_a_cluster_serves_the_champion_and_a_version_that_clients_do_not_reach_is_undone(
    registry: Registry,
    versions: Versions,
    cluster: StandIn,
    kubeconfig: Path,
    local: Callable[..., LocalTarget],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real server of the first version answers at the service's URL, whatever is deployed."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    server = local()
    server.deploy(versions.first)
    target = {"target": "kubernetes", "url": server.url, "within": "20"}

    change = release.plan_change(registry.url, CHAMPION, target, move="none", who="test", why="It is the champion.")
    put_in_service(change)

    assert cluster.serving == {versions.first}
    (first,) = DecisionLog(registry.url).history()
    assert (first.outcome, first.serving) == ("deployed", versions.first)
    assert any("3 of 3 pods" in event for event in first.events)
    assert any("smoke test" in event for event in first.events)

    again = release.plan_change(
        registry.url, versions.second, target, move="promote", who="test", why="", in_spite="planted"
    )
    assert (again.champion, again.served) == (versions.first, versions.first)
    with pytest.raises(InputError, match=f"the answers come from version {versions.first}"):
        put_in_service(again)

    assert cluster.serving == {versions.first}
    assert champion(registry) == versions.first
    failed = DecisionLog(registry.url).history()[-1]
    assert (failed.outcome, failed.champion, failed.serving) == ("failed", versions.first, versions.first)
    repeated = release.restore(again, "a second time", "Traceback\n  all of it\na second time")
    assert repeated.serving == versions.first
    assert "all of it" not in repeated.sentence
    assert "all of it" in Path(DecisionLog(registry.url).page_of(repeated)).read_text(), "beside the log, not in it"
    assert cluster.serving == {versions.first}


def test_a_rollout_that_fails_is_restored_once_and_recorded(
    registry: Registry,
    versions: Versions,
    cluster: StandIn,
    kubeconfig: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    target = {"target": "kubernetes", "within": "3"}
    release.deploy(release.plan_change(registry.url, CHAMPION, target, move="none", who="test", why="x"))
    cluster.bad[versions.second] = "crash"

    change = release.plan_change(registry.url, versions.second, target, move="none", who="test", why="x")
    with pytest.raises(FailedDeploymentError):
        put_in_service(change)

    assert cluster.serving == {versions.first}
    failed = DecisionLog(registry.url).history()[-1]
    assert failed.serving == versions.first
    assert "was restored and serves" in failed.sentence


def test_a_version_promoted_by_someone_else_meanwhile_serves_after_a_failure(
    registry: Registry, versions: Versions, cluster: StandIn, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    target = {"target": "kubernetes", "within": "20"}
    release.deploy(release.plan_change(registry.url, CHAMPION, target, move="none", who="test", why="x"))
    change = release.plan_change(registry.url, versions.second, target, move="promote", who="test", why="x")
    release.deploy(change)
    registry.move_alias(CHAMPION, versions.bad, who="anna", why="faster", evidence={}, after=registry.alias(CHAMPION))

    restored = release.restore(change, "another version became champion meanwhile")

    assert cluster.serving == {versions.bad}
    assert (restored.champion, restored.serving) == (versions.bad, versions.bad)


def test_a_rollback_gives_way_to_another_version_promoted_at_the_same_time(
    registry: Registry, versions: Versions, cluster: StandIn, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    target = {"target": "kubernetes", "within": "20"}
    promote(registry, versions.second, against=versions.first, who="test", why="x")
    release.deploy(release.plan_change(registry.url, CHAMPION, target, move="none", who="test", why="x"))
    change = release.plan_rollback(registry.url, target, who="test", why="it is slow")
    assert (change.version, change.champion) == (versions.first, versions.second)
    served = release.deploy(change)
    promote(registry, versions.bad, against=versions.second, who="anna", why="faster")

    with pytest.raises(InputError, match=f"another version became champion meanwhile: {versions.bad}") as raised:
        release.move_champion(change, served)
    restored = release.restore(change, str(raised.value))

    assert cluster.serving == {versions.bad}
    assert (restored.champion, restored.serving) == (versions.bad, versions.bad)


def test_a_change_with_the_move_keep_changes_nothing(
    registry: Registry, versions: Versions, cluster: StandIn, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    change = release.Change(
        registry.url,
        versions.second,
        versions.first,
        versions.first,
        {"target": "kubernetes"},
        "keep",
        "test",
        "It is no better.",
    )

    put_in_service(change)

    assert cluster.patches == []
    assert champion(registry) == versions.first
    (kept,) = DecisionLog(registry.url).history()
    assert (kept.outcome, kept.serving) == ("kept", versions.first)
    assert kept.sentence == f"{versions.first} still serves. It is no better."


def test_a_rollback_needs_a_reason_and_an_earlier_version(
    registry: Registry, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    with pytest.raises(InputError, match="a rollback needs a reason"):
        release.plan_rollback(registry.url, {"target": "kubernetes"}, who="test", why=" ")
    with pytest.raises(InputError, match="nothing served before this champion"):
        release.plan_rollback(registry.url, {"target": "kubernetes"}, who="test", why="it is slow")
