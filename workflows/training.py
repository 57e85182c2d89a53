"""Labelled documents in; a trained, calibrated, evaluated and registered classifier out."""

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
    id_column: str = "",
    weight_column: str = "",
    time_column: str = "",
    since: str = "",
    until: str = "",
    slice_by: str = "",
    rater_columns: str = "",
    gate_limits: str = "",
    also: str = "",
    rubric: str = "",
    threshold: float | None = None,
    recipe: str = "default",
    encoder: str = "",
    window_tokens: int = 0,
    window_count: int = 0,
    loss: str = "",
    scoring_precision: str = "fp32",
    folds: int = 0,
    keep: str = "labels",
    seed: int = 0,
    seeds: int = 1,
    max_quarantined: float = 0.05,
    ledger: str = "",
    registry: str = "",
    tracking: str = "mlflow",
    promote_refused: str = "",
) -> Registration:
    """Train on a file, a folder or an fsspec URL of Parquet, JSONL or CSV, or on hf://datasets/OWNER/NAME@REVISION.

    Args:
        source: where the labelled documents are
        text_column: the column of the documents
        label_column: the column of the labels; any ordinal range, or 0 and 1
        group_by: documents that share a value of this column stay on one side of the split
        id_column: a stable name of each document; without one, `id` or a digest of the text
        weight_column: how much each label counts in training, above 0
        time_column: when each row is of, where only those of a period are to be taken
        since: the period's beginning, ISO 8601; without one, that of the rows
        until: its end, which is not in it; without one, that of the rows
        slice_by: columns whose values the report tells apart, with commas between them
        rater_columns: single ratings that the label was made of, with commas: how far they agree, and what that hides
        gate_limits: from where on a gate refuses, such as shortcuts.excess=0.3, with commas
        also: further labels that the same network learns, RUBRIC[:THRESHOLD]=SOURCE, with commas between them
        rubric: a built-in name or a Markdown file; without one, the scale that the labels span
        threshold: label from which a document is kept; without one, the rubric's
        recipe: training settings, by name
        encoder: packaged name, folder or OWNER/NAME@REVISION; without one, the recipe's
        window_tokens: tokens of a document that are read at once; 0: the recipe's
        window_count: windows of so many tokens, from a document's beginning to its end; 0: the recipe's
        loss: regression, ordinal or binary; without one, the recipe's
        scoring_precision: in which the model scores for good, fp32 or bf16
        folds: 2 or more: the calibration part is learned from too, and calibration is cross-fitted; for little data
        keep: labels, f1, share=0.1, precision=0.8 or recall=0.9, what the cut is chosen for
        seed: of split, head and order
        seeds: models that differ in the seed alone, to say how much it matters; the first is the one that is registered
        max_quarantined: share of unusable rows from which the run fails
        ledger: where documents' sides of the split are remembered; without one, the work folder
        registry: where versions go; without one, the work folder
        tracking: mlflow, neptune or none
        promote_refused: why a model that a gate refuses may be the first champion all the same; without a reason, not
    """
    given = resolve_training(
        source=source,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        id_column=id_column,
        weight_column=weight_column,
        time_column=time_column,
        since=since,
        until=until,
        rubric=rubric,
        threshold=threshold,
        recipe_name=recipe,
        encoder=encoder,
        window_tokens=window_tokens,
        window_count=window_count,
        loss=loss,
        scoring_precision=scoring_precision,
        folds=folds,
        keep=keep,
        seed=seed,
        seeds=seeds,
        gate_limits=gate_limits,
        also=also,
        ledger=ledger,
        registry=registry,
    )
    acquired = acquire_documents(
        source=given.source, revision=given.revision, columns=given.columns, period=given.period
    )
    validated = validate_labels(
        snapshot=acquired.snapshot,
        rubric=given.rubric,
        threshold=given.threshold,
        max_quarantined=max_quarantined,
    )
    further = map_task(
        partial(prepare_further, columns=given.columns, period=given.period, max_quarantined=max_quarantined)
    )(source=given.further_sources, labels=given.further)
    divided = split_labels(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        rubric=validated.rubric,
        further=further,
        ledger=given.ledger,
        encoder=given.goes_on_from,
        encoder_revision=given.encoder_revision,
        seed=seed,
    )
    baselines = fit_baselines(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        rubric=validated.rubric,
        config=given.config,
        encoder_revision=given.encoder_revision,
        keep=given.keep,
    )
    trained = train(
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        rubric=validated.rubric,
        further=divided.further,
        config=given.config,
        encoder_revision=given.encoder_revision,
        tracking=tracking,
    )
    calibrated = calibrate_model(
        model=trained.model,
        snapshot=acquired.snapshot,
        documents=validated.documents,
        assignment=divided.assignment,
        further=divided.further,
        keep=given.keep,
    )
    tried = map_task(
        partial(
            try_seed,
            snapshot=acquired.snapshot,
            documents=validated.documents,
            assignment=divided.assignment,
            rubric=validated.rubric,
            further=divided.further,
            config=given.config,
            encoder_revision=given.encoder_revision,
            keep=given.keep,
        )
    )(seed=given.other_seeds)
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
        slice_by=slice_by,
        rater_columns=rater_columns,
        gate_limits=gate_limits,
        seeds=tried,
    )
    measured = map_task(
        partial(
            evaluate_further,
            model=calibrated.model,
            curve=trained.curve,
            config=given.config,
            encoder_revision=given.encoder_revision,
            slice_by=slice_by,
            rater_columns=rater_columns,
            gate_limits=gate_limits,
        )
    )(further=divided.further)
    registered = register(
        model=calibrated.model,
        evaluation=evaluated.evaluation,
        report=evaluated.report,
        further=measured,
        registry=given.registry,
        promote_refused=promote_refused,
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
        given=given,
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
