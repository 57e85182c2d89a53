"""Nodes of the training pipeline: each calls the functions of Assay that the Flyte task of its stage calls."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

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
from assay.labels import Ledger, SplitConfig, StoredSet, known_before, learned_before, split_together, validate
from assay.model import AS_LABELLED, locate_encoder, require_distinct
from assay.options import build, plain_options
from assay.pipeline import TrainingRequest
from assay.release import register_model
from assay.report import write_html
from assay.sources import acquire, open_source
from assay.storage import Snapshot, parse_json, place_or_default, work_folder
from assay.tracking import open_tracker
from assay.training import calibrate, forget_checkpoint, run_name, train_model
from assay_kedro.datasets import NewFolder

Options = Mapping[str, Any]


def _request(options: Options) -> TrainingRequest:
    return build(TrainingRequest, options, where="training in parameters.yml")


def acquire_sources(options: Options) -> NewFolder:
    """Copy the rows of each labelled source into a snapshot. Raise InputError as `acquire` does."""
    request, made = _request(options), NewFolder()
    locate_encoder(request.config.encoder)  # refuses an unknown encoder before the source is read
    for number, labels in enumerate(request.labels):
        source = open_source(labels.source)
        snapshot = acquire(source, request.columns, made.path / str(number), period=request.period)
        require_slices(snapshot, request.slice_by)
        require_raters(snapshot, request.rater_columns)
    return made


def validate_labels(options: Options, snapshots: Path) -> list[StoredSet]:
    """Return the labelled set of each rubric, with the rows that cannot be used. Raise InputError as `validate`."""
    request, sets = _request(options), []
    for number, labels in enumerate(request.labels):
        place = snapshots / str(number)
        snapshot = Snapshot.open(place)
        rubric = labels.given() or labels.read_off(snapshot)
        checked = validate(snapshot, rubric, max_quarantined=request.max_quarantined)
        sets.append(StoredSet(rubric, place, checked.documents, checked.quarantine))
    require_distinct([of.rubric for of in sets])
    return sets


def split_labels(options: Options, labels: list[StoredSet]) -> list[StoredSet]:
    """Return the sets with their parts. Raise InputError as `split_together`."""
    request = _request(options)
    divided = split_together(
        [of.labelled for of in labels],
        ledger=Ledger(request.ledger) if request.ledger else None,
        config=SplitConfig(seed=request.config.seed),
        learned=learned_before(request.config.encoder),
        marks=known_before(request.config.encoder),
    )
    return [of.split_as(split) for of, split in zip(labels, divided, strict=True)]


def fit_baselines(options: Options, labels: list[StoredSet]) -> dict[str, pd.DataFrame]:
    """Return the predictions of the baselines for each rubric."""
    request, found = _request(options), {}
    for number, each in enumerate(labels):
        of, keep = each.divided, AS_LABELLED if number else request.keep
        found[of.rubric.name] = evaluate_baselines(
            of.snapshot, of.documents, of.assignment, of.rubric, request.config, keep=keep
        )
    return found


def train(options: Options, labels: list[StoredSet], tracking: str) -> tuple[NewFolder, pd.DataFrame, str]:
    """Fit the model in this process. Return its folder, its Curve and the id of the tracker's run.

    A run that was killed resumes from its checkpoint in the work folder.
    """
    request, made, checkpoints = _request(options), NewFolder(), work_folder() / "checkpoints"
    main, *others = (of.divided for of in labels)
    with open_tracker(tracking, run_name=f"train {main.rubric.name}", work=work_folder()) as tracker:
        tracker.params({"training": asdict(request.training), "rubric": asdict(main.rubric)})
        curve = train_model(
            main.snapshot,
            main.documents,
            main.assignment,
            main.rubric,
            request.training,
            output=made.path,
            checkpoints=checkpoints,
            others=others,
            on_update=lambda record: tracker.metrics({f"train/{k}": v for k, v in record.items()}, int(record["step"])),
        )
    run = run_name(main.snapshot, main.assignment, main.rubric, request.training, others)
    forget_checkpoint(checkpoints, run)
    return made, curve, tracker.run_id


def calibrate_model(options: Options, labels: list[StoredSet], trained: Path) -> NewFolder:
    """Return the folder of the model with its calibration and golden documents."""
    made = NewFolder()
    main, *others = (of.divided for of in labels)
    calibrate(trained, main, made.path, others=others, keep=_request(options).keep)
    return made


def measure_seeds(options: Options, labels: list[StoredSet]) -> list[dict[str, float]]:
    """Return the metrics of models of other seeds; none if the request has one seed."""
    request, made = _request(options), NewFolder()
    main, *others = (of.divided for of in labels)
    return [
        measure_seed(
            main,
            config,
            work=made.scratch,
            checkpoints=work_folder() / "checkpoints",
            others=others,
            keep=request.keep,
        )
        for config in of_other_seeds(request.training, request.seeds)
    ]


def evaluate(
    options: Options,
    labels: list[StoredSet],
    calibrated: Path,
    baselines: Mapping[str, Callable[[], pd.DataFrame]],
    curve: pd.DataFrame,
    seeds: list[dict[str, float]],
) -> NewFolder:
    """Measure the model by each rubric, run the gates, and return the complete model folder."""
    request, made, measured = _request(options), NewFolder(), {}
    for number, each in enumerate(labels):
        of, page = each.divided, made.scratch / f"report-{number}.html"
        assert each.leakage is not None  # known since the split
        examined = examine(
            calibrated,
            of,
            baselines=baselines[of.rubric.name](),
            quarantine=each.quarantine,
            curve=curve,
            leakage=each.leakage,
            slice_by=request.slice_by,
            rater_columns=request.rater_columns,
            limits=request.gates,
            seeds=[] if number else seeds,
            seed=request.config.seed,
        )
        write_html(examined.report, page)
        measured[of.rubric.name] = (examined.evaluation, page)
    main = measured.pop(labels[0].rubric.name)
    finish_model_folder(calibrated, *main, made.path, measured, request=plain_options(request))
    return made


def register(model: Path, registry: str) -> dict[str, str]:
    """Register the model folder, and return its version and the champion as plain values."""
    place = place_or_default(registry, "ASSAY_REGISTRY", "registry")
    return {"registry": place, **asdict(register_model(place, model, who="training pipeline"))}


def track(model: Path, registration: Mapping[str, str], tracker_run: str, tracking: str) -> None:
    """Log metrics, lineage and report into the run that the training started."""
    written = (model / "evaluation.json").read_bytes()
    evaluation = parse_json(Evaluation, written, what="evaluation.json", where=str(model))
    with open_tracker(tracking, run_name="train", run_id=tracker_run, work=work_folder()) as tracker:
        tracker.metrics(evaluation.flat())
        place = {"version": registration["version"], "registry": registration["registry"]}
        tracker.tags({**place, **evaluation.lineage})
        tracker.artifact(model / "report.html", "report")
        for name in ("assay.json", "golden.jsonl"):
            tracker.artifact(model / name, "model")
