"""In service: deploy another version, prove it, and only then make it champion; or restore the state before."""

from dataclasses import replace

from flytekit import Deck, current_context, task
from flytekit.types.error import FlyteError

from assay import release
from assay.progress import stage
from assay.promotion import ChallengeRequest
from assay.registry import CHAMPION, Decision
from assay.release import Change, Served, decision_report
from assay.report import render_fragment
from tasks.support.requests import read_request
from tasks.support.resources import encoder, heavy, light
from tasks.support.settings import lasting, on_cluster, source_location
from tasks.support.targets import target_of

CAUSE = 500
"""Characters of the cause of a failure that the log of decisions keeps; the whole message is in the decision's page."""


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
        return release.plan_change(_shelf(registry), CHAMPION, target_of(target), move="none", who=_who(), why=why)


@task(**light())
def plan_rollback(registry: str, target: str, why: str) -> Change:
    """Return the change to the version before the champion."""
    with stage("Check what serves"):
        return release.plan_rollback(_shelf(registry), target_of(target), who=_who(), why=why)


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
            _shelf(registry), challenger, target_of(target), move="promote", who=_who(), why="", in_spite=in_spite
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
    whole = err.message if err else ""
    return _shown(release.restore(change, cause_of(whole), details=whole), change, whole)


def cause_of(message: str) -> str:
    """Return the cause in the message of a failed task, one line.

    On a cluster the message is a whole traceback: `Trace:`, the frames, `Message:`, and then type and text of the
    exception. On a laptop the cause is its last line.
    """
    _, mark, cause = message.rpartition("Message:\n")
    lines = [line.strip() for line in (cause if mark else message).splitlines() if line.strip()]
    if not lines:
        return "the cause is unknown"
    return _shortened(" ".join(lines) if mark else lines[-1])


def _shortened(cause: str) -> str:
    """Return a text without its middle: it begins with what failed, and ends with the end of a server's log."""
    if len(cause) <= CAUSE:
        return cause
    begin = CAUSE // 2
    return f"{cause[:begin]} … {cause[begin + 3 - CAUSE :]}"


def _shown(decision: Decision, change: Change, details: str = "") -> Decision:
    Deck("Decision", render_fragment(decision_report(decision, change.verdict, details)))
    return decision
