"""Models of other seeds: equal configuration and equal split, to measure the variance over training seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.errors import InputError
from assay.evaluation.record import Evaluation
from assay.inference import Scorer
from assay.labels import SplitSet, part_of
from assay.metrics import METRICS, Outcomes, measure
from assay.model import AS_LABELLED, KeepTarget
from assay.progress import say
from assay.training import TrainConfig, calibrate, forget_checkpoint, run_name, train_model

Launch = Callable[..., object]


def of_other_seeds(config: TrainConfig, count: int) -> list[TrainConfig]:
    """Return `count` - 1 configurations with the next seeds. Raise InputError if `count` is below 1."""
    if count < 1:
        raise InputError(f"{count} seeds", fix="Give 1 or more")
    return [replace(config, seed=config.seed + number) for number in range(1, count)]


def measure_seed(
    main: SplitSet,
    config: TrainConfig,
    *,
    work: Path,
    checkpoints: Path,
    others: Sequence[SplitSet] = (),
    keep: KeepTarget = AS_LABELLED,
    launch: Launch | None = None,
) -> dict[str, float]:
    """Train a model for this measurement alone, and return its metrics by the main rubric on the test part.

    Its folders are written below `work`. `launch(train_model, …)` starts the processes; by default the training runs in
    this process.
    """
    config = replace(config, refit=False, learning_curve=False)
    say(f"training a model with seed {config.seed}, to measure the variance over seeds")
    trained, calibrated = work / f"trained-{config.seed}", work / f"calibrated-{config.seed}"
    given = (main.snapshot, main.documents, main.assignment, main.rubric, config)
    (launch or _here)(train_model, *given, output=trained, checkpoints=checkpoints, others=others)
    calibrate(trained, main, calibrated, others=others, keep=keep)
    part = part_of(main.documents, main.assignment, "test")
    scorer = Scorer.load(calibrated, rubric=main.rubric.name)
    scored = scorer.score(main.snapshot.take(part["row"]), progress=f"scoring the test part, seed {config.seed}")
    # The model is measured and never used again: without this its state would stay on the disk.
    forget_checkpoint(checkpoints, run_name(main.snapshot, main.assignment, main.rubric, config, others))
    return measure(Outcomes.of(part[["label"]].join(scored), main.rubric))


def with_seeds(evaluation: Evaluation, others: Sequence[Mapping[str, float]]) -> Evaluation:
    """Return the evaluation with its own values and those of other seeds (from `measure_seed`), if they are defined."""
    if not others:
        return evaluation
    # The own value comes first. A seed without a defined figure is left out of that metric alone.
    own = {name: evaluation.metrics[name].value for name in METRICS if name in evaluation.metrics}
    seeds = {
        name: [value, *(other[name] for other in others if np.isfinite(other.get(name, np.nan)))]
        for name, value in own.items()
        if value is not None
    }
    return replace(evaluation, seeds=seeds)


def _here(function: Callable[..., object], *given: object, **named: object) -> object:
    return function(*given, **named)
