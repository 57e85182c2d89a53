"""`assay.json`: what a model folder says of itself beyond weights and tokenizer."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from assay.errors import InputError
from assay.model.calibration import Calibration
from assay.rubric import Rubric

NAME = "assay.json"
Precision = Literal["fp32", "bf16"]
FORMAT = 1


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

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is {self.precision!r}", where=NAME, fix="Give fp32 or bf16")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        fields = asdict(self)
        fields["calibration"] = self.calibration.to_json() if self.calibration else None
        return {"format": FORMAT, **fields}

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
