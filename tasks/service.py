"""In service: another version deployed, proved, and only then champion; or all as it was before."""

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
    """On a cluster it is the cluster, unless something else is asked for: a pod's processes end with it."""
    return parse_target(given or ("kubernetes" if on_cluster() else ""))


def _who() -> str:
    execution = current_context().execution_id
    return f"workflow {execution.name}" if on_cluster() and execution else "workflow"


def _shelf(registry: str) -> str:
    return lasting(registry, "ASSAY_REGISTRY", "registry")


@task(**light())
def plan_champion(registry: str, target: str) -> Change:
    """The champion, and what serves now."""
    with stage("Check what serves"):
        why = "It is the champion."
        return release.plan_change(_shelf(registry), CHAMPION, _target(target), move="none", who=_who(), why=why)


@task(**light())
def plan_rollback(registry: str, target: str, why: str) -> Change:
    """The version before the champion."""
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
    """Compare a version of the registry with the champion; never cached, since the champion moves."""
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
    """Where clients reach it; what served before serves on where it does not prove itself."""
    with stage(f"Deploy {change.version}"):
        return release.deploy(change)


@task(**heavy())
def prove_version(change: Change, served: Served) -> Served:
    """The golden documents, asked where clients are."""
    with stage("Smoke test"):
        return release.prove(change, served)


@task(**light())
def move_champion(change: Change, served: Served) -> Served:
    """The registry says what serves; this comes last."""
    with stage("Champion"):
        return release.move_champion(change, served)


@task(enable_deck=True, **light())
def conclude(change: Change, served: Served) -> Decision:
    """One report of what was decided and done, or why nothing was."""
    return _shown(release.conclude(change, served), change)


@task(enable_deck=True, **light())
def restore_service(change: Change, err: FlyteError | None = None) -> Decision:
    """On a failure: what served before serves, and is champion; one report of it."""
    return _shown(release.restore(change, err.message if err else "it is not known how"), change)


def _shown(decision: Decision, change: Change) -> Decision:
    Deck("Decision", render_fragment(decision_report(decision, change.verdict)))
    return decision
