"""The labelled path in one process, without Flyte: the same functions as the tasks, in the same order."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from assay.errors import InputError
from assay.evaluation import (
    Evaluation,
    evaluate_baselines,
    examine,
    finish_model_folder,
    measure_seed,
    of_other_seeds,
    require_raters,
    require_slices,
)
from assay.labels import (
    LabelledSet,
    Ledger,
    PreparedSplit,
    SplitConfig,
    SplitSet,
    Validation,
    fitting_part,
    known_before,
    learned_before,
    part_of,
    split_together,
    validate,
)
from assay.model import AS_LABELLED, KeepTarget, locate_encoder, require_distinct, require_promise
from assay.options import plain_options
from assay.pipeline.request import TrainingRequest
from assay.progress import say, stage
from assay.report import write_html
from assay.sources import acquire, open_source
from assay.storage import clear_disk_errors
from assay.training import calibrate, forget_checkpoint, launch, run_name, train_model


def train_and_evaluate(request: TrainingRequest, output: Path, *, processes: int = 1) -> dict[str, Evaluation]:
    """Write the new model folder `output`, with card, evaluation and report of every rubric and the request inside.

    `processes`: training processes on this machine. Return the evaluations by name of rubric, the main rubric's first.
    A run that was killed resumes from its checkpoint, which is in a hidden folder beside the output. Raise InputError
    for anything that cannot be used; then no output is written.
    """
    output = output.absolute()
    with clear_disk_errors(output):
        if output.exists():
            raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    if processes < 1:
        raise InputError(f"{processes} training processes", fix="Give 1 or more")
    further_seeds = of_other_seeds(request.training, request.seeds)
    checkpoints = output.parent / f".{output.name}.training"
    given = [labels.given() for labels in request.labels]
    locate_encoder(request.config.encoder)  # refuses an unknown encoder before the source is read
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        work = Path(scratch)
        snapshots = []
        with stage("Acquire"):
            for number, labels in enumerate(request.labels):
                snapshot = acquire(
                    open_source(labels.source), request.columns, work / f"snapshot-{number}", period=request.period
                )
                say(f"{snapshot.manifest.rows:,} rows, version {snapshot.manifest.version[:12]}")
                require_slices(snapshot, request.slice_by)
                require_raters(snapshot, request.rater_columns)
                snapshots.append(snapshot)
        sets, checks = [], []
        with stage("Validate"):
            for labels, known, snapshot in zip(request.labels, given, snapshots, strict=True):
                rubric = known or labels.read_off(snapshot)
                checked = validate(snapshot, rubric, max_quarantined=request.max_quarantined)
                quarantined = f"{len(checked.quarantine)} quarantined, {checked.merged} merged"
                say(f"{len(checked.documents):,} documents, {quarantined}")
                sets.append(LabelledSet(rubric, snapshot, checked.documents))
                checks.append(checked)
            require_distinct([of.rubric for of in sets])
        with stage("Split"):
            ledger = Ledger(request.ledger) if request.ledger else None
            config = SplitConfig(seed=request.config.seed)
            divided = split_together(
                sets,
                ledger=ledger,
                config=config,
                learned=learned_before(request.config.encoder),
                marks=known_before(request.config.encoder),
                progress=True,
            )
            for split in divided:
                for sentence in split.sentences():
                    say(sentence)
        main, *others = (
            SplitSet(of.rubric, of.snapshot, of.documents, split.assignment)
            for of, split in zip(sets, divided, strict=True)
        )
        calibrating = fitting_part(main.documents, main.assignment, cross_fitted=True)
        if not request.config.folds:
            calibrating = part_of(main.documents, main.assignment, "calibration")
        # A target that the calibration documents are too few for is refused before the training, not after it.
        require_promise(
            request.keep,
            calibrating["label"].to_numpy() >= main.rubric.threshold,
            calibrating["cluster"].to_numpy(),
        )
        with stage("Train"):
            curve = launch(
                processes,
                train_model,
                main.snapshot,
                main.documents,
                main.assignment,
                main.rubric,
                request.training,
                output=work / "trained",
                checkpoints=checkpoints,
                others=others,
            )
        with stage("Calibrate"):
            calibrate(work / "trained", main, work / "model", others=others, keep=request.keep)
        other_seeds = []
        for other in further_seeds:
            with stage(f"Seed {other.seed}"):
                other_seeds.append(
                    measure_seed(
                        main,
                        other,
                        work=work,
                        checkpoints=checkpoints,
                        others=others,
                        keep=request.keep,
                        launch=partial(launch, processes),
                    )
                )
        measured = {
            of.rubric.name: _measure(
                work / "model",
                request,
                of,
                checked,
                split,
                curve,
                work / f"report-{number}.html",
                request.keep if of is main else AS_LABELLED,
                other_seeds if of is main else [],
            )
            for number, (of, checked, split) in enumerate(zip([main, *others], checks, divided, strict=True))
        }
        evaluation, report = measured[main.rubric.name]
        further_pages = {of.rubric.name: measured[of.rubric.name] for of in others}
        finish_model_folder(work / "model", evaluation, report, output, further_pages, request=plain_options(request))
    # Only now: a run that is killed after its training resumes at the end of it.
    forget_checkpoint(checkpoints, run_name(main.snapshot, main.assignment, main.rubric, request.training, others))
    return {name: evaluation for name, (evaluation, _) in measured.items()}


def _measure(
    model: Path,
    request: TrainingRequest,
    of: SplitSet,
    checked: Validation,
    split: PreparedSplit,
    curve: pd.DataFrame,
    page: Path,
    keep: KeepTarget,
    seeds: Sequence[Mapping[str, float]],
) -> tuple[Evaluation, Path]:
    """Run baselines, evaluation and gates by one rubric. Return the evaluation, and the page that was written."""
    which = f": {of.rubric.name}" if request.also else ""
    with stage(f"Baselines{which}"):
        baselines = evaluate_baselines(of.snapshot, of.documents, of.assignment, of.rubric, request.config, keep=keep)
    with stage(f"Evaluate{which}"):
        examined = examine(
            model,
            of,
            baselines=baselines,
            quarantine=checked.quarantine,
            curve=curve,
            leakage=split.leakage,
            slice_by=request.slice_by,
            rater_columns=request.rater_columns,
            limits=request.gates,
            seeds=seeds,
            seed=request.config.seed,
        )
        write_html(examined.report, page)
    return examined.evaluation, page
