"""`assay.json`: what a model folder says of itself beyond weights and tokenizer."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from assay.errors import InputError
from assay.model.calibration import Calibration
from assay.rubric import Rubric

NAME = "assay.json"
Precision = Literal["fp32", "bf16"]
FORMAT = 1
MEANING = ("score", "calibrated", "p_keep", "grade", "keep")
"""What is said of a document by one rubric; the columns of a further rubric bear its name before these."""


@dataclass(frozen=True)
class Windows:
    """How much of a document the model reads."""

    tokens: int = 512
    """Tokens a window, with the tokenizer's special ones."""
    count: int = 1
    """Most windows a document: 1 reads its beginning, 3 its beginning, middle and end. Their scores are averaged."""

    def __post_init__(self) -> None:
        if self.tokens < 8 or self.count < 1:
            raise InputError(
                f"windows of {self.tokens} tokens, {self.count} a document",
                fix="Give at least 8 tokens and 1 window",
            )


@dataclass(frozen=True)
class Aspect:
    """A rubric that the model scores by, and what its scores mean."""

    rubric: Rubric
    calibration: Calibration | None = None
    """None until fitted."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Of tables, where it is not the main rubric: `legal_score` and so on, in the order of MEANING."""
        return tuple(f"{self.rubric.name}_{name}" for name in MEANING)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "rubric": asdict(self.rubric),
            "calibration": self.calibration.to_json() if self.calibration else None,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Aspect":
        """The inverse of `to_json`; raises KeyError or TypeError for anything else."""
        calibration = fields["calibration"]
        return cls(Rubric(**fields["rubric"]), Calibration.from_json(calibration) if calibration else None)


@dataclass(frozen=True)
class ModelInfo:
    """Everything that scoring needs to know of a model."""

    encoder: str
    """Name of the pretrained encoder."""
    rubric: Rubric
    windows: Windows
    languages: tuple[str, ...] = ("en",)
    """Languages the labels were in; documents in others are marked, not guessed."""
    precision: Precision = "fp32"
    """Of the arithmetic, wherever it scores: calibration, evaluation, corpora and service. bf16 is faster where the
    processor has it, and off from fp32 by some thousandths of the scale; which is why it belongs to the model."""
    calibration: Calibration | None = None
    """Score -> expected label, probability, grade; None until fitted."""
    lineage: dict[str, Any] = field(default_factory=dict)
    """From which data, with which settings: digests and figures."""
    others: tuple[Aspect, ...] = ()
    """Further rubrics that the same network scores by: of its outputs 1, 2, … `rubric` and `calibration` are the main
    one's, of output 0."""

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is {self.precision!r}", where=NAME, fix="Give fp32 or bf16")
        names = [aspect.rubric.name for aspect in self.aspects]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two rubrics of one model are called {twice!r}", fix="Give each a name of its own")
        for name in names[1:]:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):  # it names columns and files
                raise InputError(f"{name!r} is no name for a further rubric", fix="Use letters, digits, _ and -")
        columns = [*MEANING, *(column for aspect in self.others for column in aspect.columns)]
        if len(set(columns)) < len(columns):
            clash = next(column for column in columns if columns.count(column) > 1)
            raise InputError(f"two columns of the scores would be called {clash}", fix="Rename one of the rubrics")

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """One for each output of the network, in their order: the main rubric's first."""
        return (Aspect(self.rubric, self.calibration), *self.others)

    def output_of(self, rubric: str) -> int:
        """Which of the network's outputs scores by a rubric. Raises InputError where the model has none of the name."""
        names = [aspect.rubric.name for aspect in self.aspects]
        if rubric not in names:
            raise InputError(f"this model has no rubric {rubric!r}", fix=f"Name one of: {', '.join(names)}")
        return names.index(rubric)

    def view(self, rubric: str) -> "ModelInfo":
        """As if one of the rubrics were the only one. Raises InputError where the model has none of the name."""
        aspect = self.aspects[self.output_of(rubric)]
        return replace(self, rubric=aspect.rubric, calibration=aspect.calibration, others=())

    def calibrated(self, calibrations: Sequence[Calibration]) -> "ModelInfo":
        """With a calibration for each rubric, in the order of the outputs."""
        first, *rest = calibrations
        others = [
            replace(aspect, calibration=calibration) for aspect, calibration in zip(self.others, rest, strict=True)
        ]
        return replace(self, calibration=first, others=tuple(others))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; nothing of further rubrics where there are none."""
        fields = asdict(replace(self, others=()))
        del fields["others"]
        fields["calibration"] = self.calibration.to_json() if self.calibration else None
        others = {"others": [aspect.to_json() for aspect in self.others]} if self.others else {}
        return {"format": FORMAT, **fields, **others}

    @classmethod
    def read(cls, folder: Path) -> "ModelInfo":
        """Raises InputError where the folder is no model of ours or of a later format."""
        try:
            fields = json.loads((folder / NAME).read_text(encoding="utf-8"))
            version = fields.pop("format")
            if version != FORMAT:
                raise InputError(
                    f"model format {version}, this release reads {FORMAT}",
                    where=str(folder),
                    fix="Install the release that wrote it, or train it again",
                )
            calibration = fields.pop("calibration")
            return cls(
                rubric=Rubric(**fields.pop("rubric")),
                windows=Windows(**fields.pop("windows")),
                languages=tuple(fields.pop("languages")),
                calibration=Calibration.from_json(calibration) if calibration else None,
                others=tuple(Aspect.from_json(aspect) for aspect in fields.pop("others", ())),
                **fields,
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"no Assay model: {NAME} is missing",
                where=str(folder),
                fix="Name a folder that `assay train` wrote",
            ) from error
        except (OSError, KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(
                f"{NAME} cannot be read: {error!r}", where=str(folder), fix="Get the model again"
            ) from error

    def write(self, folder: Path) -> None:
        """Write `assay.json` into a folder being staged."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / NAME).write_text(text + "\n", encoding="utf-8")


def require_distinct(rubrics: Sequence[Rubric]) -> None:
    """Raises InputError where one model cannot score by all of these, the main one first: names clash, or are none."""
    ModelInfo("", rubrics[0], Windows(), others=tuple(Aspect(rubric) for rubric in rubrics[1:]))


def calibrated_info(model: Path) -> ModelInfo:
    """What a model folder says of itself. Raises InputError where its scores have no meaning yet."""
    info = ModelInfo.read(model)
    if info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    return info
