"""From a registered version to a service that clients reach, with a way back."""

from flytekit import workflow

from assay.registry import Decision
from assay.release import Change, Served
from tasks.service import (
    conclude,
    deploy_version,
    judge_version,
    move_champion,
    plan_champion,
    plan_rollback,
    prove_version,
    restore_service,
)


@workflow(on_failure=restore_service)
def put_in_service(change: Change) -> Served:
    """Deploy, check, and only then move the champion. If any of it fails, the former version serves again.

    Args:
        change: the version to serve, and the state before
    """
    deployed = deploy_version(change=change)
    proved = prove_version(change=change, served=deployed)
    return move_champion(change=change, served=proved)


@workflow
def replace_service(change: Change) -> Decision:
    """Run `put_in_service` and record the decision with its report.

    Args:
        change: the version to serve, and the state before
    """
    return conclude(change=change, served=put_in_service(change=change))


@workflow
def deploy_champion(registry: str = "", target: str = "") -> Decision:
    """Serve the champion. If it serves already, nothing is done.

    Args:
        registry: folder or URL of the registry; empty: in the work folder
        target: local, kubernetes, sagemaker or vertex, and its settings, such as kubernetes,namespace=prod; empty: this
            machine, or on a cluster the cluster
    """
    return replace_service(change=plan_champion(registry=registry, target=target))


@workflow
def promote(
    challenger: str,
    data: str,
    text_column: str = "text",
    label_column: str = "label",
    group_by: str = "",
    options: str = "",
    in_spite: str = "",
    registry: str = "",
    target: str = "",
) -> Decision:
    """Compare a version with the champion, and put it in service if the promotion rules let it pass.

    Args:
        challenger: version of the registry, or its first characters
        data: labelled documents, the same test set each time
        text_column: column of the documents
        label_column: column of the labels
        group_by: column of the groups; documents of one group are one unit of the intervals
        options: any other option of `assay challenge --help`, as YAML or JSON or the name of a shipped file, such as
            '{slice_by: [genre], limit: {mode: not_worse, margin: 0.02}}'
        in_spite: reason to put it in service although the promotion rules refuse it; empty: it is not
        registry: folder or URL of the registry; empty: in the work folder
        target: local, kubernetes, sagemaker or vertex, and its settings; empty: this machine, on a cluster the cluster
    """
    # No `conditional`: on a laptop flytekit 1.16 runs both branches of one inside a branch, as in the watch.
    judged = judge_version(
        challenger=challenger,
        data=data,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        options=options,
        in_spite=in_spite,
        registry=registry,
        target=target,
    )
    return replace_service(change=judged)


@workflow
def rollback(why: str, registry: str = "", target: str = "") -> Decision:
    """Serve the version before the champion again, and make it champion.

    Args:
        why: the reason, which the log keeps
        registry: folder or URL of the registry; empty: in the work folder
        target: local, kubernetes, sagemaker or vertex, and its settings; empty: this machine, on a cluster the cluster
    """
    return replace_service(change=plan_rollback(registry=registry, target=target, why=why))
