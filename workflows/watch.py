"""The service under watch: what changes beyond chance is told, and starts a retraining."""

import datetime

from flytekit import conditional, workflow

from assay.registry import Decision
from tasks.watch import look_at_service, record_look, stay, tell_people
from workflows.retraining import retrain_and_redeploy


@workflow
def watch_service(
    kickoff: datetime.datetime,
    source: str,
    test_set: str,
    log: str = "",
    model: str = "champion",
    hours: float = 24.0,
    every_hours: float = 1.0,
    false_alarms_a_year: float = 0.1,
    least_documents: int = 200,
    least_reference: int = 50,
    cool_down_hours: float = 24.0,
    text_column: str = "text",
    label_column: str = "label",
    group_by: str = "",
    time_column: str = "",
    days: int = 0,
    slice_by: str = "",
    also: str = "",
    rubric: str = "",
    recipe: str = "default",
    encoder: str = "",
    window_tokens: int = 0,
    window_count: int = 0,
    folds: int = 0,
    keep: str = "labels",
    seed: int = 0,
    limits: str = "",
    gate_limits: str = "",
    in_spite: str = "",
    registry: str = "",
    ledger: str = "",
    looks: str = "",
    tracking: str = "mlflow",
    target: str = "",
) -> Decision:
    """Check the last hours of the score log; on an alarm that does not cool down, tell people and retrain.

    Args:
        kickoff: the scheduled moment, where the window ends
        source: where the labelled documents are that a retraining learns from
        test_set: labelled documents that judge it, the same each time
        log: score log of the service; without one, the work folder's
        model: alias or version whose answers are looked at
        hours: length of the window
        every_hours: from one look to the next
        false_alarms_a_year: expected while nothing changes
        least_documents: of a window; with fewer there is no look
        least_reference: documents of the calibration part, below which a comparison says too little
        cool_down_hours: after an alarm, further ones are only told in the log
        text_column: the column of the labelled documents
        label_column: the column of the labels
        group_by: documents that share a value of this column stay on one side of the split
        time_column: when each row is of, where only those of a period are to be learned from
        days: of the period that ends at kickoff; 0: all until then
        slice_by: columns whose values are told apart and must not get worse, with commas between them
        also: further labels that the same network learns, RUBRIC[:THRESHOLD]=SOURCE, with commas between them
        rubric: a built-in name or a Markdown file; without one, the scale that the labels span
        recipe: training settings, by name
        encoder: packaged name, folder or OWNER/NAME@REVISION; without one, the recipe's
        window_tokens: tokens of a document that are read at once; 0: the recipe's
        window_count: windows of so many tokens, from a document's beginning to its end; 0: the recipe's
        folds: 2 or more: calibration is cross-fitted; for little data
        keep: what the cut is chosen for: labels, f1, share=0.1, precision=0.8 or recall=0.9
        seed: of split, head and order
        limits: of the gate of promotion, such as mode=not_worse,margin=0.02
        gate_limits: from where on a gate of the evaluation refuses, such as shortcuts.excess=0.3, with commas
        in_spite: why the new model is put in service whatever the gate says
        registry: where versions are; without one, the work folder
        ledger: where documents' sides of the split are remembered; without one, the work folder
        looks: where looks are counted and alarms cool down; without one, the work folder
        tracking: mlflow, neptune or none
        target: local or kubernetes, and settings of it; without one, this machine, or on a cluster the cluster
    """
    watched = look_at_service(
        kickoff=kickoff,
        log=log,
        model=model,
        hours=hours,
        every_hours=every_hours,
        false_alarms_a_year=false_alarms_a_year,
        least_documents=least_documents,
        least_reference=least_reference,
        cool_down_hours=cool_down_hours,
        registry=registry,
        looks=looks,
    )
    record_look(looked=watched.looked, told=tell_people(looked=watched.looked))
    return (
        conditional("alarm")
        .if_(watched.act.is_true())
        .then(
            retrain_and_redeploy(
                kickoff=kickoff,
                source=source,
                test_set=test_set,
                text_column=text_column,
                label_column=label_column,
                group_by=group_by,
                time_column=time_column,
                days=days,
                slice_by=slice_by,
                also=also,
                rubric=rubric,
                recipe=recipe,
                encoder=encoder,
                window_tokens=window_tokens,
                window_count=window_count,
                folds=folds,
                keep=keep,
                seed=seed,
                limits=limits,
                gate_limits=gate_limits,
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
