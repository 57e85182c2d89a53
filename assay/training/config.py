"""Settings of training, and the recipes: functions that return a complete configuration."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypeAlias, get_args

from assay.errors import InputError
from assay.model import PACKAGED, Windows
from assay.options import group

LossName: TypeAlias = Literal["regression", "ordinal", "binary"]
KindName: TypeAlias = Literal["encoder", "lexical", "head", "hybrid"]
IN_ONE_STEP = {
    "lexical": ("kind", "windows", "folds", "refit", "learning_curve", "seed"),
    "head": ("kind", "encoder", "windows", "folds", "refit", "learning_curve", "seed", "scoring_precision"),
}
"""Settings that mean something for the kinds that are fitted in one step."""


REFIT_BELOW = 20_000
"""Labels below which a model is fitted again, to all of them. Chosen, not measured: with many labels a second fit takes
long, and two fifths more labels are expected to gain little."""
HYBRID_WORDS = 1_000
"""Words of a document that the lexical part of a hybrid reads, as the recipe `lexical` does."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run. Equal settings and equal data give the same model."""

    kind: KindName = "encoder"
    """Kind of model. encoder: a pretrained network that is trained further. lexical: hashed words and pairs of words
    with a linear head, which reads thousands of documents a second on a core; its windows are counted in words. head: a
    pretrained network of which the output layer alone is fitted, so that it scores by vectors of the same encoder.
    hybrid: an encoder and a lexical part of the same documents, whose scores are averaged."""
    encoder: str = PACKAGED
    """Pretrained encoder: packaged name, folder, or OWNER/NAME[@REVISION] of a hub."""
    windows: Windows = field(default_factory=Windows, metadata=group())
    """Windows of a document that are read, in training and in scoring."""
    pooling: Literal["first", "mean"] = "first"
    """State that the output layer reads. first: that of the first token, through the encoder's own pooler. mean: the
    mean over the tokens, by one more layer with fixed weights, which plain transformers computes, too; for BERT."""
    loss: LossName = "regression"
    """Loss. regression: squared error of labels. ordinal: cumulative link with one score and a cut for each level.
    binary: logistic loss of reaching the threshold."""
    trained_layers: int | None = None
    """Number of last layers of the encoder to train; 0 trains the head alone. Without it, all layers."""
    epochs: int = 3
    """Number of passes over the training part."""
    least_updates: int = 0
    """Least number of updates. Passes are added until it is reached, which small data sets need; 0 adds none."""
    batch_documents: int = 16
    """Documents of one update, over all processes."""
    batch_tokens: int = 8_192
    """Most padded tokens of one forward pass in one process. Gradients of further passes are accumulated, so that it
    changes the memory and not the result."""
    learning_rate: float = 1e-4
    """Peak learning rate of AdamW, after a linear warmup and before a linear decay to 0."""
    warmup: float = 0.1
    """Share of the updates in which the learning rate rises, 0 to 1."""
    weight_decay: float = 0.01
    """Weight decay of matrices. Biases and norms have no weight decay."""
    clip: float = 1.0
    """Largest norm of the gradient. A larger gradient is scaled down."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training: fp32, bf16 or auto: bf16 on GPUs that support it, fp32 otherwise."""
    scoring_precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of scoring: fp32 or bf16. It is stored in the model, which is calibrated and evaluated with it."""
    folds: int = 0
    """Number of folds of cross-fitting, for few labels. From 2: the model is trained on the calibration part too, and
    calibrated on scores of models that left each document's fold out. 0: the calibration part is held out."""
    refit: bool | None = None
    """Fit the model that ships to all labels, after one that has seen the train part was measured; its scores are
    mapped onto those of the measured one. Without it: yes below 20,000 labels, unless the target of the cut is
    promised."""
    learning_curve: bool = True
    """Fit models to a quarter and to half of the documents, too, to report what more labels would give. Takes three
    quarters of the time of the measured model; more where the least number of updates decides."""
    seed: int = 0
    """Seed of the initial weights of the head and of the order of the documents."""
    checkpoint_updates: int = 50
    """Number of updates between two checkpoints, which is the most that a killed run loses."""

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
        if self.kind not in get_args(KindName):
            raise InputError(
                f"kind is {self.kind!r}", where="training settings", fix=f"Give one of: {', '.join(get_args(KindName))}"
            )
        if self.pooling not in ("first", "mean"):
            raise InputError(f"pooling is {self.pooling!r}", where="training settings", fix="Give first or mean")
        if self.kind in IN_ONE_STEP:
            self._require_known()
        if self.kind == "hybrid" and self.loss != "regression":
            raise InputError(
                f"loss is {self.loss}, and the parts of a hybrid are averaged on the scale of the labels",
                where="training settings",
                fix="Give regression, or another kind",
            )
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

    def _require_known(self) -> None:
        """Raise InputError for a setting that a kind fitted in one step does not have."""
        if self.kind == "lexical" and self.windows.count != 1:
            raise InputError(
                f"a lexical model with {self.windows.count} windows",
                where="training settings",
                fix="Give 1, and a larger number of words: window_tokens",
            )
        for each in fields(self):
            if each.name not in IN_ONE_STEP[self.kind] and getattr(self, each.name) != each.default:
                raise InputError(
                    f"{each.name} is {getattr(self, each.name)}, which the kind {self.kind} does not have",
                    where="training settings",
                    fix="Leave it out, or choose a recipe that trains an encoder",
                )


def refits(config: TrainConfig, labels: int) -> bool:
    """Return True if a model of this many labels is fitted again, to all of them."""
    return labels < REFIT_BELOW if config.refit is None else config.refit


def quickstart() -> TrainConfig:
    """Return the recipe `quickstart`: the small encoder on the first 256 tokens; a few minutes on two cores.

    What it measures is what it ships: a second fit, to all labels, would take most of the time.
    """
    return TrainConfig(windows=Windows(tokens=256), refit=False)


def default() -> TrainConfig:
    """Return the recipe `default`: the small encoder on the first 512 tokens."""
    return TrainConfig()


def best() -> TrainConfig:
    """Return the recipe `best`: the first 256 tokens, all layers, at least 120 updates (benchmarks/RESULTS.md)."""
    return TrainConfig(windows=Windows(tokens=256), least_updates=120)


def hybrid() -> TrainConfig:
    """Return the recipe `hybrid`: the recipe `best`, and the first 1,000 words of each document beside it."""
    return replace(best(), kind="hybrid")


def cheap() -> TrainConfig:
    """Return the recipe `cheap`: the first 128 tokens, for corpora whose scoring costs more than some quality."""
    return TrainConfig(windows=Windows(tokens=128), least_updates=120)


def lexical() -> TrainConfig:
    """Return the recipe `lexical`: hashed words of the first 1,000 words, without a network."""
    return TrainConfig(kind="lexical", windows=Windows(tokens=1_000))


def head() -> TrainConfig:
    """Return the recipe `head`: the output layer alone, by ridge regression, on an encoder that stays as it is."""
    return TrainConfig(kind="head")


def fineweb_edu() -> TrainConfig:
    """Return the recipe of the original FineWeb-Edu classifier (huggingface/cosmopedia, 2024).

    Its encoder is frozen below a new head, which is trained for 20 epochs.
    """
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
    "lexical": lexical,
    "head": head,
    "hybrid": hybrid,
    "fineweb_edu": fineweb_edu,
}


def recipe(
    name: str, *, window_tokens: int | None = None, window_count: int | None = None, **changes: object
) -> TrainConfig:
    """Return a recipe by name, changed by the settings that are not None. Raise InputError for an unknown name."""
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}", fix=f"Choose one of: {', '.join(sorted(RECIPES))}")
    config = RECIPES[name]()
    windows = {"tokens": window_tokens, "count": window_count}
    asked = {key: value for key, value in windows.items() if value is not None}
    config = replace(config, windows=replace(config.windows, **asked))
    given = {key: value for key, value in changes.items() if value is not None}
    return replace(config, **given)  # type: ignore[arg-type]
