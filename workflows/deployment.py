"""A registered version to where clients reach it: on the gate's word, or as it was before."""

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
    """Deploy, ask, and only then move the champion; where any of it fails, what served before serves.

    Args:
        change: the version, and how things are before
    """
    deployed = deploy_version(change=change)
    proved = prove_version(change=change, served=deployed)
    return move_champion(change=change, served=proved)


@workflow
def replace_service(change: Change) -> Decision:
    """The same, with its report.

    Args:
        change: the version, and how things are before
    """
    return conclude(change=change, served=put_in_service(change=change))


@workflow
def deploy_champion(registry: str = "", target: str = "") -> Decision:
    """Serve the champion; it serves already: nothing is done.

    Args:
        registry: where the versions are; without one, the work folder
        target: local or kubernetes, and settings of it, such as kubernetes,namespace=prod; without one, this machine,
            or on a cluster the cluster
    """
    return replace_service(change=plan_champion(registry=registry, target=target))


@workflow
def promote(
    challenger: str,
    data: str,
    text_column: str = "text",
    label_column: str = "label",
    group_by: str = "",
    slice_by: str = "",
    limits: str = "",
    gate_limits: str = "",
    data_until: str = "",
    in_spite: str = "",
    registry: str = "",
    target: str = "",
) -> Decision:
    """Judge a version beside the champion, and put it in service where the gate lets it pass; else nothing is done.

    Args:
        challenger: version of the registry, or its first characters
        data: labelled documents, the same test set each time
        text_column: the column of the documents
        label_column: the column of the labels
        group_by: documents that share a value of this column are one unit of the intervals
        slice_by: columns whose values must not get worse, with commas between them
        limits: of the gate, such as mode=not_worse,margin=0.02
        gate_limits: from where on a gate of the evaluation refuses, such as shortcuts.excess=0.3, with commas
        data_until: day of the newest data that it learned from
        in_spite: why it is put in service whatever the gate says
        registry: where the versions are; without one, the work folder
        target: local or kubernetes, and settings of it; without one, this machine, or on a cluster the cluster
    """
    # No `conditional`: on a laptop flytekit 1.16 runs both branches of one inside a branch, as in the watch.
    judged = judge_version(
        challenger=challenger,
        data=data,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        slice_by=slice_by,
        limits=limits,
        gate_limits=gate_limits,
        data_until=data_until,
        in_spite=in_spite,
        registry=registry,
        target=target,
    )
    return replace_service(change=judged)


@workflow
def rollback(why: str, registry: str = "", target: str = "") -> Decision:
    """Serve the version before the champion again, and make it champion.

    Args:
        why: the reason, which stays in the log
        registry: where the versions are; without one, the work folder
        target: local or kubernetes, and settings of it; without one, this machine, or on a cluster the cluster
    """
    return replace_service(change=plan_rollback(registry=registry, target=target, why=why))
