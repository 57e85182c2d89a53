"""From labelled documents to a trained, calibrated, evaluated and registered classifier."""

from functools import partial

from flytekit import map_task, workflow

from tasks.acquire import acquire_documents
from tasks.baselines import fit_baselines
from tasks.calibrate import calibrate_model
from tasks.evaluate import evaluate
from tasks.evaluate_further import evaluate_further
from tasks.further import prepare_further
from tasks.register import Registration, register
from tasks.resolve_training import resolve_training
from tasks.seeds import try_seed
from tasks.split import split_labels
from tasks.summary import summarise
from tasks.track import track
from tasks.train import train
from tasks.validate import validate_labels


@workflow
def train_quality_classifier(
    source: str,
    text_column: str = "text",
    label_column: str = "label",
    group_by: str = "",
    time_column: str = "",
    since: str = "",
    until: str = "",
    rubric: str = "",
    recipe: str = "default",
    options: str = "",
    ledger: str = "",
    registry: str = "",
    tracking: str = "mlflow",
    promote_refused: str = "",
) -> Registration:
    """Train on labelled documents, measure the model, and register it.

    Args:
        source: labelled documents: Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME@REVISION
        text_column: column of the documents
        label_column: column of the labels; any ordinal range, or 0 and 1
        group_by: column of the groups; documents of one group stay on one side of the split
        time_column: column of the times, if only the documents of a period are used
        since: start of the period, ISO 8601; empty: from the beginning
        until: end of the period, excluded; empty: to the end
        rubric: built-in name or Markdown file; empty: the scale that the labels span
        recipe: named training settings
        options: any other option of `assay train --help`, as YAML or JSON or the name of a shipped file,
            such as '{epochs: 5, slice_by: [genre]}' or configs/education.yaml
        ledger: folder or URL that remembers each document's side of the split; empty: in the work folder
        registry: folder or URL of the registry; empty: in the work folder
        tracking: mlflow, mlflow:URI of a server, neptune, wandb or none; on a cluster mlflow needs a server
        promote_refused: reason to make a model that a gate refuses the first champion; empty: it is not promoted
    """
    resolved = resolve_training(
        source=source,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        time_column=time_column,
        since=since,
        until=until,
        rubric=rubric,
        recipe=recipe,
        options=options,
        ledger=ledger,
        registry=registry,
        tracking=tracking,
    )
    acquired = acquire_documents(
        source=resolved.source, revision=resolved.revision, columns=resolved.columns, period=resolved.period
    )
    validated = validate_labels(
        snapshot=acquired.snapshot,
        rubric=resolved.rubric,
        threshold=resolved.threshold,
        max_quarantined=resolved.max_quarantined,
    )
    further = map_task(
        partial(
            prepare_further,
            columns=resolved.columns,
            period=resolved.period,
            max_quarantined=resolved.max_quarantined,
        )
    )(source=resolved.further_sources, labels=resolved.further)
    divided = split_labels(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        rubric=validated.rubric,
        further=further,
        ledger=resolved.ledger,
        encoder=resolved.continues_from,
        encoder_revision=resolved.encoder_revision,
        seed=resolved.seed,
    )
    baselines = fit_baselines(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        rubric=validated.rubric,
        config=resolved.config,
        encoder_revision=resolved.encoder_revision,
        keep=resolved.keep,
    )
    trained = train(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        rubric=validated.rubric,
        further=divided.further,
        config=resolved.config,
        encoder_revision=resolved.encoder_revision,
        tracking=tracking,
    )
    calibrated = calibrate_model(
        model=trained.model,
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        further=divided.further,
        keep=resolved.keep,
    )
    tried = map_task(
        partial(
            try_seed,
            snapshot=acquired.snapshot,
            documents=validated.documents,
            assignment=divided.assignment,
            rubric=validated.rubric,
            further=divided.further,
            config=resolved.config,
            encoder_revision=resolved.encoder_revision,
            keep=resolved.keep,
        )
    )(seed=resolved.other_seeds)
    evaluated = evaluate(
        model=calibrated.model,
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        quarantine=validated.quarantine,
        baselines=baselines.predictions,
        curve=trained.curve,
        leakage=divided.leakage,
        rubric=validated.rubric,
        slice_by=resolved.slice_by,
        rater_columns=resolved.rater_columns,
        gates=resolved.gates,
        seeds=tried,
        seed=resolved.seed,
    )
    measured = map_task(
        partial(
            evaluate_further,
            model=calibrated.model,
            curve=trained.curve,
            config=resolved.config,
            encoder_revision=resolved.encoder_revision,
            slice_by=resolved.slice_by,
            rater_columns=resolved.rater_columns,
            gates=resolved.gates,
        )
    )(further=divided.further)
    registered = register(
        model=calibrated.model,
        evaluation=evaluated.evaluation,
        report=evaluated.report,
        further=measured,
        registry=resolved.registry,
        promote_refused=promote_refused,
        request=resolved.request,
    )
    tracked = track(
        model=calibrated.model,
        evaluation=evaluated.evaluation,
        report=evaluated.report,
        registration=registered.registration,
        tracker_run=trained.tracker_run,
        tracking=tracking,
    )
    return summarise(
        started=resolved.started,
        stages=[
            acquired.stage,
            validated.stage,
            divided.stage,
            baselines.stage,
            trained.stage,
            calibrated.stage,
            evaluated.stage,
            registered.stage,
            tracked.stage,
        ],
        evaluation=evaluated.evaluation,
        registration=registered.registration,
        report=evaluated.report,
    )
