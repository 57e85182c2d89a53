"""The labelled path in one process, without Flyte: the same functions as the tasks, in the same order."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    require_metric,
    require_raters,
    require_slices,
)
from assay.gates import GateLimits
from assay.labels import (
    LabelledSet,
    Ledger,
    PreparedSplit,
    SplitConfig,
    SplitSet,
    Validation,
    fitting_part,
    learned_before,
    part_of,
    read_labels,
    split_together,
    validate,
)
from assay.model import AS_LABELLED, KeepTarget, locate_encoder, require_distinct, require_promise
from assay.progress import say, stage
from assay.report import write_html
from assay.rubric import Rubric, builtin_rubrics, load_rubric, rubric_from_labels
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot, clear_disk_errors
from assay.training import TrainConfig, calibrate, forget_checkpoint, launch, run_name, train_model


@dataclass(frozen=True)
class Labels:
    """A labelled source, and the rubric that its labels are by."""

    source: str
    rubric: str = ""
    """Built-in name or Markdown file; empty: the labels' own scale."""
    threshold: float | None = None
    """Label from which a document is kept; None: the rubric's own."""
    name: str = ""
    """What the scale of the labels is called, where there is no rubric."""

    @classmethod
    def parse(cls, given: str) -> "Labels":
        """From `RUBRIC[:THRESHOLD]=SOURCE`. A bare name that is no built-in rubric and no file stands for the labels'
        own scale. Raises InputError for anything else."""
        left, equals, source = given.partition("=")
        rubric, colon, number = left.partition(":")
        if not (rubric and equals and source):
            raise InputError(
                f"{given!r} names no rubric and source", fix="Give RUBRIC=SOURCE or RUBRIC:THRESHOLD=SOURCE"
            )
        try:
            threshold = float(number) if colon else None
        except ValueError as error:
            raise InputError(f"threshold {number!r} is no number", where=given, fix="Give RUBRIC:3=SOURCE") from error
        if rubric in builtin_rubrics() or Path(rubric).is_file() or not re.fullmatch(r"[A-Za-z0-9_-]+", rubric):
            return cls(source, rubric, threshold)
        return cls(source, "", threshold, name=rubric)

    def given(self) -> Rubric | None:
        """The rubric, where it need not be read off the labels. Raises InputError where it cannot be used."""
        if not self.rubric:
            return None
        rubric = load_rubric(self.rubric, self.threshold)
        require_metric(rubric)
        return rubric

    def read_off(self, snapshot: Snapshot) -> Rubric:
        """The scale of the labels. Raises InputError where they give none."""
        rubric = rubric_from_labels(read_labels(snapshot), self.threshold, where=snapshot.sources)
        return replace(rubric, name=self.name or rubric.name)


@dataclass(frozen=True)
class TrainingRequest:
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
    seeds: int = 1
    """Models that differ in the seed alone; the first is written, the others say how much it matters."""
    keep: KeepTarget = AS_LABELLED
    """What the cut between kept and dropped documents is chosen for."""
    gates: GateLimits = field(default_factory=GateLimits)
    """From where on a shortcut, a changed text or a leak refuses the model."""
    also: tuple[Labels, ...] = ()
    """Labels by further rubrics, under the same names of columns, that the same network learns."""

    @property
    def labels(self) -> list[Labels]:
        """Of all rubrics, the main one's first."""
        return [Labels(self.source, self.rubric, self.threshold), *self.also]


def train_and_evaluate(request: TrainingRequest) -> dict[str, Evaluation]:
    """Write the new model folder `request.output`, with card, evaluation and report of every rubric inside; returns the
    evaluations by the rubrics' names, the main one's first.

    A training run that was killed goes on from its checkpoint, which lies hidden beside the output. Raises
    InputError for anything that cannot be used; then there is no output.
    """
    output = request.output.absolute()
    with clear_disk_errors(output):
        if output.exists():
            raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    if request.processes < 1:
        raise InputError(f"{request.processes} training processes", fix="Give 1 or more")
    further_seeds = of_other_seeds(request.config, request.seeds)
    checkpoints = output.parent / f".{output.name}.training"
    given = [labels.given() for labels in request.labels]
    locate_encoder(request.config.encoder)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        work = Path(scratch)
        snapshots = []
        with stage("Acquire"):
            for number, labels in enumerate(request.labels):
                snapshot = acquire(open_source(labels.source), request.columns, work / f"snapshot-{number}")
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
                sets, ledger=ledger, config=config, learned=learned_before(request.config.encoder), progress=True
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
        require_promise(request.keep, calibrating["label"].to_numpy() >= main.rubric.threshold)
        with stage("Train"):
            curve = launch(
                request.processes,
                train_model,
                main.snapshot,
                main.documents,
                main.assignment,
                main.rubric,
                request.config,
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
                        launch=partial(launch, request.processes),
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
        finish_model_folder(work / "model", evaluation, report, output, further_pages)
    forget_checkpoint(checkpoints, run_name(main.snapshot, main.assignment, request.config, others))
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
    """Baselines, evaluation and gates of a model by one rubric; returns the evaluation, and the page that it wrote."""
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
