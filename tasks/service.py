"""In service: deploy another version, prove it, and only then make it champion; or restore the state before."""

from dataclasses import replace

from flytekit import Deck, current_context, task
from flytekit.types.error import FlyteError

from assay import release
from assay.deployment import parse_target
from assay.progress import stage
from assay.promotion import ChallengeRequest
from assay.registry import CHAMPION, Decision
from assay.release import Change, Served, decision_report
from assay.report import render_fragment
from tasks.support.requests import read_request
from tasks.support.resources import encoder, heavy, light
from tasks.support.settings import lasting, on_cluster, source_location


def _target(given: str) -> dict[str, str]:
    """Return the settings of a target. On a cluster it is the cluster by default: a pod's processes end with it."""
    return parse_target(given or ("kubernetes" if on_cluster() else ""))


def _who() -> str:
    execution = current_context().execution_id
    return f"workflow {execution.name}" if on_cluster() and execution else "workflow"


def _shelf(registry: str) -> str:
    return lasting(registry, "ASSAY_REGISTRY", "registry")


@task(**light())
def plan_champion(registry: str, target: str) -> Change:
    """Return the change to the champion, with the version that serves now."""
    with stage("Check what serves"):
        why = "It is the champion."
        return release.plan_change(_shelf(registry), CHAMPION, _target(target), move="none", who=_who(), why=why)


@task(**light())
def plan_rollback(registry: str, target: str, why: str) -> Change:
    """Return the change to the version before the champion."""
    with stage("Check what serves"):
        return release.plan_rollback(_shelf(registry), _target(target), who=_who(), why=why)


@task(**encoder())
def judge_version(
    challenger: str,
    data: str,
    text_column: str,
    label_column: str,
    group_by: str,
    options: str,
    in_spite: str,
    registry: str,
    target: str,
) -> Change:
    """Compare a version of the registry with the champion. Never cached: the champion moves."""
    request = read_request(
        ChallengeRequest,
        options,
        source=data,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
    )
    request = replace(request, source=source_location(request.source))
    with stage("Check what serves"):
        change = release.plan_change(
            _shelf(registry), challenger, _target(target), move="promote", who=_who(), why="", in_spite=in_spite
        )
    return release.challenge_with(change, request)


@task(**light())
def deploy_version(change: Change) -> Served:
    """Deploy the version where clients reach it. If it does not prove itself, the former one keeps serving."""
    with stage(f"Deploy {change.version}"):
        return release.deploy(change)


@task(**heavy())
def prove_version(change: Change, served: Served) -> Served:
    """Score the golden documents as a client of the service, and check the answers."""
    with stage("Smoke test"):
        return release.prove(change, served)


@task(**light())
def move_champion(change: Change, served: Served) -> Served:
    """Move the alias. This comes last, so that the champion is a version that serves."""
    with stage("Champion"):
        return release.move_champion(change, served)


@task(enable_deck=True, **light())
def conclude(change: Change, served: Served) -> Decision:
    """Record what was decided and done, and draw the report."""
    return _shown(release.conclude(change, served), change)


@task(enable_deck=True, **light())
def restore_service(change: Change, err: FlyteError | None = None) -> Decision:
    """After a failure: serve the former version, keep it champion, and draw the report."""
    return _shown(release.restore(change, err.message if err else "the cause is unknown"), change)


def _shown(decision: Decision, change: Change) -> Decision:
    Deck("Decision", render_fragment(decision_report(decision, change.verdict)))
    return decision
