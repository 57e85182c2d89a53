"""From the score log of a service to a report of drift, and to a retraining if there is an alarm."""

import datetime

from flytekit import conditional, workflow

from assay.registry import Decision
from tasks.watch import look_at_service, record_look, stay, tell_people
from workflows.launch_plans import planned
from workflows.retraining import retraining


@workflow
def watch_service(
    kickoff: datetime.datetime,
    source: str,
    test_set: str,
    log: str = "",
    model: str = "champion",
    hours: float = 24.0,
    text_column: str = "text",
    label_column: str = "label",
    group_by: str = "",
    time_column: str = "",
    days: int = 0,
    rubric: str = "",
    recipe: str = "default",
    options: str = "",
    in_spite: str = "",
    registry: str = "",
    ledger: str = "",
    looks: str = "",
    reference: str = "",
    tracking: str = "mlflow",
    target: str = "",
) -> Decision:
    """Check the last hours of the score log; on an alarm that does not cool down, report it and retrain.

    Args:
        kickoff: the scheduled moment, at which the window ends
        source: labelled documents that a retraining learns from
        test_set: labelled documents that compare its model with the champion, the same each time
        log: folder or URL of the service's score log; empty: in the work folder
        model: alias or version of the registry whose answers are watched
        hours: length of the window, in hours
        text_column: column of the documents
        label_column: column of the labels
        group_by: column of the groups; documents of one group stay on one side of the split
        time_column: column of the times, if only the labels of a period are learned from
        days: length of the period that ends at kickoff; 0: all labels until then
        rubric: built-in name or Markdown file; empty: the scale that the labels span
        recipe: named training settings
        options: any other option of the retraining and of the watch, as YAML or JSON or the name of a shipped file,
            such as '{every_hours: 6, least_documents: 500, slice_by: [genre]}'
        in_spite: reason to put the new model in service although the promotion rules refuse it; empty: it is not
        registry: folder or URL of the registry; empty: in the work folder
        ledger: folder or URL that remembers each document's side of the split; empty: in the work folder
        looks: folder or URL that counts drift looks and cools alarms down; empty: in the work folder
        reference: folder or URL of scores of a corpus to compare with; empty: the calibration documents
        tracking: mlflow, mlflow:URI of a server, neptune, wandb or none; on a cluster mlflow needs a server
        target: local, kubernetes, sagemaker or vertex, and its settings; empty: this machine, on a cluster the cluster
    """
    watched = look_at_service(
        kickoff=kickoff,
        source=source,
        test_set=test_set,
        log=log,
        model=model,
        hours=hours,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        time_column=time_column,
        days=days,
        rubric=rubric,
        recipe=recipe,
        options=options,
        registry=registry,
        ledger=ledger,
        looks=looks,
        reference=reference,
        tracking=tracking,
        target=target,
    )
    recorded = record_look(looked=watched.looked, told=tell_people(looked=watched.looked))
    decision = (
        conditional("alarm")
        .if_(watched.act.is_true())
        .then(
            # Every input, so that none comes from the plan's own table.
            retraining(
                kickoff=kickoff,
                source=source,
                test_set=test_set,
                text_column=text_column,
                label_column=label_column,
                group_by=group_by,
                time_column=time_column,
                days=days,
                rubric=rubric,
                recipe=recipe,
                options=watched.retraining,
                in_spite=in_spite,
                registry=registry,
                ledger=ledger,
                tracking=tracking,
                target=target,
            )
        )
        .else_()
        .then(stay(looked=watched.looked))
    )
    # The look is recorded before anything is started: it makes the alarm cool down. Beside the retraining it could
    # fail, and Flyte aborts what runs beside a failure, also a service that is half replaced.
    recorded >> decision
    return decision


# One that waits for the retraining that it started, and one that takes the next look. A second alarm meanwhile starts
# no second retraining, and ends its watch.
hourly_watch = planned("hourly_watch", watch_service, at_once=2)
