"""New labels in; a better model in service, or everything as it was."""

import datetime

from flytekit import workflow

from assay.registry import Decision
from tasks.clock import days_before
from tasks.package import package_model
from tasks.serve_check import check_serving
from workflows.deployment import promote
from workflows.training import train_quality_classifier


@workflow
def retrain_and_redeploy(
    kickoff: datetime.datetime,
    source: str,
    test_set: str,
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
    tracking: str = "mlflow",
    target: str = "",
) -> Decision:
    """Train on the newest labels, prove, judge beside the champion, and put in service what is better.

    Whatever fails or is refused on the way, the champion serves on.

    Args:
        kickoff: the scheduled moment; nothing newer is learned from where a column tells times
        source: where the labelled documents are; without a period, all of them
        test_set: labelled documents that judge, the same each time, which are in no source
        text_column: the column of the documents
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
        registry: where versions go; without one, the work folder
        ledger: where documents' sides of the split are remembered; without one, the work folder
        tracking: mlflow, neptune or none
        target: local or kubernetes, and settings of it; without one, this machine, or on a cluster the cluster
    """
    period = days_before(kickoff=kickoff, days=days, time_column=time_column)
    registration = train_quality_classifier(
        source=source,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        time_column=time_column,
        since=period.since,
        until=period.until,
        slice_by=slice_by,
        gate_limits=gate_limits,
        also=also,
        rubric=rubric,
        recipe=recipe,
        encoder=encoder,
        window_tokens=window_tokens,
        window_count=window_count,
        folds=folds,
        keep=keep,
        seed=seed,
        registry=registry,
        ledger=ledger,
        tracking=tracking,
        promote_refused=in_spite,
    )
    packaged = package_model(registry=registration.registry, version=registration.version)
    checked = check_serving(bento=packaged.bento)
    decision = promote(
        challenger=registration.version,
        data=test_set,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        slice_by=slice_by,
        limits=limits,
        gate_limits=gate_limits,
        in_spite=in_spite,
        registry=registration.registry,
        target=target,
    )
    checked >> decision
    return decision
