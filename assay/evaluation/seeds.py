"""What another seed would have given: models that differ in nothing else, on the same split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.errors import InputError
from assay.evaluation.calibrate import calibrate
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.metrics import METRICS, Outcomes, measure
from assay.inference import Scorer
from assay.labels import SplitSet, part_of
from assay.model import AS_LABELLED, KeepTarget
from assay.progress import say
from assay.training import TrainConfig, forget_checkpoint, run_name, train_model

Launch = Callable[..., object]


def measure_seeds(
    main: SplitSet,
    config: TrainConfig,
    *,
    count: int,
    work: Path,
    checkpoints: Path,
    others: Sequence[SplitSet] = (),
    keep: KeepTarget = AS_LABELLED,
    launch: Launch | None = None,
) -> dict[str, list[float]]:
    """Metric -> its values on the test part, of `count` - 1 models beside the one of `config`.

    By the main rubric. They have the seeds after its own: another head, another order of documents, and nothing
    else. Their folders go below `work`. `launch(train_model, …)` starts the processes; without it, this one does it
    all. Raises InputError for no seed.
    """
    if count < 1:
        raise InputError(f"{count} seeds", fix="Give 1 or more")
    part = part_of(main.documents, main.assignment, "test")
    texts = main.snapshot.take(part["row"])
    values: list[dict[str, float]] = []
    for seed in range(config.seed + 1, config.seed + count):
        say(f"seed {seed}, {len(values) + 2} of {count} models that differ in it only")
        other = replace(config, seed=seed)
        trained, calibrated = work / f"trained-{seed}", work / f"calibrated-{seed}"
        given = (main.snapshot, main.documents, main.assignment, main.rubric, other)
        (launch or _here)(train_model, *given, output=trained, checkpoints=checkpoints, others=others)
        calibrate(trained, main, calibrated, others=others, keep=keep)
        scored = Scorer.load(calibrated).score(texts, progress=f"scoring the test part, seed {seed}")
        values.append(measure(Outcomes.of(part[["label"]].join(scored), main.rubric)))
        forget_checkpoint(checkpoints, run_name(main.snapshot, main.assignment, other, others))
    return {name: [value[name] for value in values] for name in METRICS} if values else {}


def with_seeds(evaluation: Evaluation, others: Mapping[str, Sequence[float]]) -> Evaluation:
    """The evaluation, with the values of other seeds behind its own."""
    own = {name: interval.value for name, interval in evaluation.metrics.items()}
    known = {name: value for name, value in own.items() if value is not None and name in others}
    return replace(evaluation, seeds={name: [value, *others[name]] for name, value in known.items()})


def _here(function: Callable[..., object], *given: object, **named: object) -> object:
    return function(*given, **named)
