"""The labelled path in one process, without Flyte: the same functions as the tasks, in the same order."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.corpus import Columns, acquire, open_source
from assay.errors import InputError
from assay.evaluation import (
    Evaluation,
    GateLimits,
    calibrate,
    evaluate_baselines,
    evaluate_model,
    evaluation_report,
    finish_model_folder,
    require_metric,
    require_raters,
    require_slices,
    run_gates,
    run_gates_elsewhere,
    with_gates,
    with_training,
)
from assay.labels import Ledger, SplitConfig, find_unseen, part_of, read_labels, split_documents, validate
from assay.model import ModelInfo, locate_encoder
from assay.progress import say, stage
from assay.report import write_html
from assay.rubric import load_rubric, rubric_from_labels
from assay.storage import clear_disk_errors, staged_file
from assay.training import TrainConfig, forget_checkpoint, launch, run_name, train_model


@dataclass(frozen=True)
class Request:
    """What `assay train` is asked for."""

    source: str
    columns: Columns
    output: Path
    config: TrainConfig
    rubric: str = ""
    threshold: float | None = None
    slice_by: tuple[str, ...] = ()
    rater_columns: tuple[str, ...] = ()
    """Single ratings that the label was made of."""
    ledger: str = ""
    max_quarantined: float = 0.05
    processes: int = 1
    gates: GateLimits = field(default_factory=GateLimits)
    """From where on a shortcut, a changed text or a leak refuses the model."""


def train_and_evaluate(request: Request) -> Evaluation:
    """Write the new model folder `request.output`, with card, evaluation and report inside; returns the evaluation.

    A training run that was killed goes on from its checkpoint, which lies hidden beside the output. Raises
    InputError for anything that cannot be used; then there is no output.
    """
    output = request.output.absolute()
    with clear_disk_errors(output):
        if output.exists():
            raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    if request.processes < 1:
        raise InputError(f"{request.processes} training processes", fix="Give 1 or more")
    checkpoints = output.parent / f".{output.name}.training"
    given = load_rubric(request.rubric, request.threshold) if request.rubric else None
    if given:
        require_metric(given)
    locate_encoder(request.config.encoder)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        work = Path(scratch)
        with stage("Acquire"):
            snapshot = acquire(open_source(request.source), request.columns, work / "snapshot")
            say(f"{snapshot.manifest.rows:,} rows, version {snapshot.manifest.version[:12]}")
            require_slices(snapshot, request.slice_by)
            require_raters(snapshot, request.rater_columns)
        with stage("Validate"):
            rubric = given or rubric_from_labels(read_labels(snapshot), request.threshold, where=snapshot.sources)
            checked = validate(snapshot, rubric, max_quarantined=request.max_quarantined)
            say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
        with stage("Split"):
            ledger = Ledger(request.ledger) if request.ledger else None
            config = SplitConfig(seed=request.config.seed)
            divided = split_documents(snapshot, checked.documents, rubric, ledger=ledger, config=config, progress=True)
            for sentence in divided.sentences():
                say(sentence)
        with stage("Train"):
            curve = launch(
                request.processes,
                train_model,
                snapshot,
                checked.documents,
                divided.assignment,
                rubric,
                request.config,
                output=work / "trained",
                checkpoints=checkpoints,
            )
        with stage("Calibrate"):
            part = part_of(checked.documents, divided.assignment, "calibration")
            calibrate(
                work / "trained",
                part["id"].tolist(),
                snapshot.take(part["row"]),
                part["label"].to_numpy(),
                work / "model",
            )
        with stage("Baselines"):
            baselines = evaluate_baselines(snapshot, checked.documents, divided.assignment, rubric, request.config)
        with stage("Evaluate"):
            part = part_of(checked.documents, divided.assignment, "test")
            result = evaluate_model(
                work / "model",
                snapshot,
                part,
                baselines,
                rubric,
                slice_by=request.slice_by,
                rater_columns=request.rater_columns,
            )
        with stage("Gates"):
            verdicts = run_gates(
                work / "model",
                snapshot,
                checked.documents,
                divided.assignment,
                result.predictions,
                rubric,
                columns=request.slice_by,
                limits=request.gates,
                seed=request.config.seed,
            )
            for verdict in verdicts:
                say(verdict.sentence())
            evaluation = with_training(with_gates(result.evaluation, verdicts), curve)
            report = evaluation_report(
                evaluation,
                result.predictions,
                snapshot,
                documents=checked.documents,
                assignment=divided.assignment,
                quarantine=checked.quarantine,
                curve=curve,
                leakage=divided.leakage,
            )
            write_html(report, work / "report.html")
        finish_model_folder(work / "model", evaluation, work / "report.html", output)
    forget_checkpoint(checkpoints, run_name(snapshot, divided.assignment, request.config))
    return evaluation


def evaluate_elsewhere(
    model: Path,
    source: str,
    columns: Columns,
    *,
    output: Path,
    slice_by: Sequence[str] = (),
    rater_columns: Sequence[str] = (),
    gates: GateLimits | None = None,
) -> Evaluation:
    """Evaluate a finished model on another labelled source; write the evaluation as JSON, and a page beside it.

    Documents that fitted the model are left out, and counted; the gates that need no train part are asked. Raises
    InputError where too few are left, or the model was never calibrated.
    """
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the report is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    info = ModelInfo.read(model)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot = acquire(open_source(source), columns, Path(scratch) / "snapshot")
        checked = validate(snapshot, info.rubric)
        say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
        unseen = find_unseen(snapshot, checked.documents, [model])
        result = evaluate_model(
            model, snapshot, unseen.part, None, info.rubric, slice_by=slice_by, rater_columns=rater_columns
        )
        verdicts = run_gates_elsewhere(
            model,
            snapshot,
            result.predictions,
            info.rubric,
            columns=slice_by,
            limits=gates or GateLimits(),
        )
        for verdict in verdicts:
            say(verdict.sentence())
        evaluation = with_gates(result.evaluation, verdicts)
        report = evaluation_report(evaluation, result.predictions, snapshot, quarantine=checked.quarantine)
    fields = {**evaluation.to_json(), "left_out_as_seen": unseen.left_out, "source": source}
    fields["quarantined"] = checked.quarantine["reason"].value_counts().to_dict()
    with staged_file(output) as partial:
        partial.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        write_html(report, output.with_suffix(".html"))  # where this fails, there is no report at all
    return evaluation
