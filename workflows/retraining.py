"""From new labels to a better model in service. If it is not better, nothing changes."""

import datetime

from flytekit import workflow

from assay.registry import Decision
from tasks.package import package_model
from tasks.resolve_retraining import resolve_retraining
from tasks.serve_check import check_serving
from workflows.deployment import promote
from workflows.launch_plans import planned
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
    rubric: str = "",
    recipe: str = "default",
    options: str = "",
    in_spite: str = "",
    registry: str = "",
    ledger: str = "",
    tracking: str = "mlflow",
    target: str = "",
) -> Decision:
    """Train on the newest labels, compare the model with the champion, and put it in service if it is better.

    Whatever fails or is refused on the way, the champion keeps serving.

    Args:
        kickoff: the scheduled moment; with a column of times, labels from then on are not learned from
        source: labelled documents; without a period, all of them
        test_set: labelled documents that compare the two, the same each time, which are in no source
        text_column: column of the documents
        label_column: column of the labels
        group_by: column of the groups; documents of one group stay on one side of the split
        time_column: column of the times, if only the labels of a period are learned from
        days: length of the period that ends at kickoff; 0: all labels until then
        rubric: built-in name or Markdown file; empty: the scale that the labels span
        recipe: named training settings
        options: any other option of `assay train --help`, and limits of the promotion rules, as YAML or JSON or the
            name of a shipped file, such as '{slice_by: [genre], limit: {mode: not_worse}}' or configs/retraining.yaml
        in_spite: reason to put the new model in service although the promotion rules refuse it; empty: it is not
        registry: folder or URL of the registry; empty: in the work folder
        ledger: folder or URL that remembers each document's side of the split; empty: in the work folder
        tracking: mlflow, mlflow:URI of a server, neptune, wandb or none; on a cluster mlflow needs a server
        target: local, kubernetes, sagemaker or vertex, and its settings; empty: this machine, on a cluster the cluster
    """
    resolved = resolve_retraining(
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
        options=options,
        target=target,
    )
    registration = train_quality_classifier(
        source=source,
        options=resolved.training,
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
        options=resolved.challenge,
        in_spite=in_spite,
        registry=registration.registry,
        target=target,
    )
    # No output of the check is an input of the promotion, so the order has to be stated.
    checked >> decision
    return decision


retraining = planned("retraining", retrain_and_redeploy)
"""The schedule, a watch with an alarm, and people start this plan, so that one retraining runs at a time."""
