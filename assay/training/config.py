"""How a model is fitted, and the recipes: functions that return a whole configuration."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from assay.errors import InputError
from assay.model import PACKAGED, Windows
from assay.training.losses import LossName


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; equal settings on equal data give the same model."""

    encoder: str = PACKAGED
    """Packaged name, folder, or OWNER/NAME[@REVISION] of a hub."""
    windows: Windows = field(default_factory=Windows)
    """How much of a document is read, in training as in scoring."""
    loss: LossName = "regression"
    """regression: squared error of labels. ordinal: cumulative link, one score and a cut for each level. binary:
    whether the threshold is reached."""
    trained_layers: int | None = None
    """Last layers of the encoder that learn; None: all, 0: the head alone."""
    epochs: int = 3
    """Passes over the training part."""
    least_updates: int = 0
    """Where the passes have fewer updates than this, more are made: little data needs them."""
    batch_documents: int = 16
    """Documents that one update learns from, over all processes together."""
    batch_tokens: int = 8_192
    """Padded tokens of one forward pass in one process; what is over is accumulated. Changes memory, not the result."""
    learning_rate: float = 1e-4
    """Peak of AdamW's learning rate; warmed up, then falling linearly to zero."""
    warmup: float = 0.1
    """Share of the updates with a rising learning rate."""
    weight_decay: float = 0.01
    """Of matrices; biases and norms have none."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on accelerators that have it, fp32 on CPUs."""
    scoring_precision: Literal["fp32", "bf16"] = "fp32"
    """In which the model scores once it is trained: part of the model, so that it is calibrated and proved in it."""
    folds: int = 0
    """0: calibrated on a part that is held out. 2 or more: the calibration part is learned from too, and each document
    gets its score for calibration from a model that has not learned from its fold; for little data."""
    seed: int = 0
    """Of the head's first weights and of the order of documents."""
    checkpoint_updates: int = 50
    """Updates between two checkpoints; a killed run loses at most these."""

    def __post_init__(self) -> None:
        positive = (
            "epochs",
            "batch_documents",
            "batch_tokens",
            "learning_rate",
            "clip",
            "checkpoint_updates",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}", where="training settings", fix="Give more than 0")
        if self.loss not in get_args(LossName):
            raise InputError(
                f"loss is {self.loss!r}", where="training settings", fix=f"Give {', '.join(get_args(LossName))}"
            )
        if self.trained_layers is not None and self.trained_layers < 0:
            raise InputError(
                f"trained_layers is {self.trained_layers}", where="training settings", fix="Give 0 or more"
            )
        if self.least_updates < 0:
            raise InputError(f"least_updates is {self.least_updates}", where="training settings", fix="Give 0 or more")
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"folds is {self.folds}", where="training settings", fix="Give 0, or 2 and more")
        if not 0 <= self.warmup <= 1:
            raise InputError(f"warmup is {self.warmup}", where="training settings", fix="Give 0 to 1")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed is {self.seed}", where="training settings", fix="Give 0 to 4294967295")
        if self.weight_decay < 0:
            raise InputError(f"weight_decay is {self.weight_decay}", where="training settings", fix="Give 0 or more")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InputError(
                f"precision is {self.precision!r}", where="training settings", fix="Give auto, fp32 or bf16"
            )
        if self.scoring_precision not in ("fp32", "bf16"):
            raise InputError(
                f"scoring_precision is {self.scoring_precision!r}", where="training settings", fix="Give fp32 or bf16"
            )


def quickstart() -> TrainConfig:
    """A few minutes on two cores: the small encoder, 256 tokens of each document."""
    return TrainConfig(windows=Windows(tokens=256))


def default() -> TrainConfig:
    """The small encoder over the first 512 tokens."""
    return TrainConfig()


def best() -> TrainConfig:
    """The first 256 tokens, all layers, enough updates for few labels; what it reaches is in benchmarks/RESULTS.md."""
    return TrainConfig(windows=Windows(tokens=256), least_updates=120)


def cheap() -> TrainConfig:
    """For corpora whose scoring costs more than the last points of quality: the first 128 tokens of each document."""
    return TrainConfig(windows=Windows(tokens=128), least_updates=120)


def fineweb_edu() -> TrainConfig:
    """The original classifier's: its encoder frozen under a new head, 20 epochs (huggingface/cosmopedia, 2024)."""
    return TrainConfig(
        encoder="Snowflake/snowflake-arctic-embed-m",
        trained_layers=0,
        learning_rate=3e-4,
        epochs=20,
        batch_documents=256,
        warmup=0.0,
        weight_decay=0.0,
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "best": best,
    "cheap": cheap,
    "default": default,
    "quickstart": quickstart,
    "fineweb_edu": fineweb_edu,
}


def recipe(
    name: str, *, window_tokens: int | None = None, window_count: int | None = None, **changes: object
) -> TrainConfig:
    """A recipe by name, with the settings in `changes` that are not None. Raises InputError for an unknown name."""
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}", fix=f"Choose one of: {', '.join(sorted(RECIPES))}")
    config = RECIPES[name]()
    windows = {"tokens": window_tokens, "count": window_count}
    asked = {key: value for key, value in windows.items() if value is not None}
    config = replace(config, windows=replace(config.windows, **asked))
    given = {key: value for key, value in changes.items() if value is not None}
    return replace(config, **given)  # type: ignore[arg-type]
