"""`assay.json`: the metadata of a model folder beyond weights and tokenizer."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from assay.errors import InputError
from assay.model.calibration import Calibration
from assay.options import named
from assay.rubric import Rubric
from assay.storage import only_known_fields, parse_json, parse_record

NAME = "assay.json"
REFIT = "refit"
"""Folder inside the folder of a measured model: the model that ships, where it was fitted to all labels."""
Precision = Literal["fp32", "bf16"]
Kind = Literal["encoder", "lexical", "hybrid"]
FORMAT = 1
MEANING = ("score", "calibrated", "p_keep", "grade", "keep")
"""Columns of a document's scores by the main rubric. Columns of a further rubric have its name as a prefix."""
GET_AGAIN = "Get the model again"


@only_known_fields
@dataclass(frozen=True)
class Windows:
    """Windows of a document that the model reads."""

    tokens: int = field(default=512, metadata=named("window_tokens"))
    """Tokens in a window, with the special tokens of the tokenizer."""
    count: int = field(default=1, metadata=named("window_count"))
    """Most windows of a document: 1 reads its beginning, 3 its beginning, middle and end. Their scores are averaged."""

    def __post_init__(self) -> None:
        if self.tokens < 8 or self.count < 1:
            raise InputError(
                f"windows of {self.tokens} tokens, {self.count} a document",
                fix="Give at least 8 tokens and 1 window",
            )


@only_known_fields
@dataclass(frozen=True)
class Blend:
    """How the two parts of a hybrid make its score by one rubric: encoder * e + words * w + offset."""

    encoder: float
    words: float
    offset: float = 0.0


@dataclass(frozen=True)
class Aspect:
    """A rubric that the model scores by, with the calibration of its scores."""

    rubric: Rubric
    calibration: Calibration | None = None
    """None until fitted."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a further rubric in tables: `legal_score` and so on, in the order of MEANING."""
        return tuple(f"{self.rubric.name}_{name}" for name in MEANING)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. `parse_record(Aspect, …)` is the inverse."""
        return {
            "rubric": asdict(self.rubric),
            "calibration": self.calibration.to_json() if self.calibration else None,
        }


@dataclass(frozen=True)
class _Header:
    """Field that every version of `assay.json` has."""

    format: int


@only_known_fields
@dataclass(frozen=True)
class ModelInfo:
    """Metadata that scoring needs."""

    encoder: str
    """Name of the pretrained encoder. Empty for a lexical model."""
    rubric: Rubric
    """Main rubric: output 0 of the network."""
    windows: Windows
    """Windows of a document that the model reads."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the labelled documents, as ISO 639. Documents in other languages are marked as out of scope."""
    precision: Precision = "fp32"
    """Arithmetic of all scoring: calibration, evaluation, corpora and service. bf16 is faster if the processor has it,
    and differs from fp32 by some thousandths of the scale. So it belongs to the model, not to a machine."""
    calibration: Calibration | None = None
    """Map from score to expected label, probability and grade. None until fitted."""
    lineage: dict[str, Any] = field(default_factory=dict)
    """Digests of the data, settings and sizes of the training run."""
    others: tuple[Aspect, ...] = ()
    """Further rubrics of the same network: outputs 1, 2, …"""
    kind: Kind = "encoder"
    """encoder: a pretrained network with a head. lexical: hashed words with a linear head, whose windows are counted in
    words. hybrid: both, each with a score of its own."""
    words: int = 0
    """Words of a document that the lexical part of a hybrid reads."""
    blend: tuple[Blend, ...] = ()
    """For each rubric of a hybrid, in their order."""

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is {self.precision!r}", where=NAME, fix="Give fp32 or bf16")
        if self.kind not in get_args(Kind):
            raise InputError(f"a model of kind {self.kind!r}", where=NAME, fix="Install the release that wrote it")
        if self.kind == "hybrid" and (len(self.blend) != len(self.aspects) or self.words < 8):
            raise InputError("a hybrid without the weights of its parts", where=NAME, fix=GET_AGAIN)
        names = [aspect.rubric.name for aspect in self.aspects]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two rubrics of one model are called {twice!r}", fix="Give each a name of its own")
        for name in names[1:]:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):  # it names columns and files
                raise InputError(f"{name!r} is no name for a further rubric", fix="Use letters, digits, _ and -")
        # Two names can clash after joining: rubric `a` with column `p_keep`, rubric `a_p` with column `keep`.
        columns = [*MEANING, *(column for aspect in self.others for column in aspect.columns)]
        if len(set(columns)) < len(columns):
            clash = next(column for column in columns if columns.count(column) > 1)
            raise InputError(f"two columns of the scores would be called {clash}", fix="Rename one of the rubrics")

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """One aspect for each output of the network, in their order; the main rubric is the first."""
        return (Aspect(self.rubric, self.calibration), *self.others)

    def output_of(self, rubric: str) -> int:
        """Return the number of the network's output for a rubric. Raise InputError for an unknown rubric."""
        names = [aspect.rubric.name for aspect in self.aspects]
        if rubric not in names:
            raise InputError(f"this model has no rubric {rubric!r}", fix=f"Name one of: {', '.join(names)}")
        return names.index(rubric)

    def view(self, rubric: str) -> "ModelInfo":
        """Return the metadata with one rubric as the only one. Raise InputError for an unknown rubric."""
        output = self.output_of(rubric)
        aspect, blend = self.aspects[output], self.blend[output : output + 1]
        return replace(self, rubric=aspect.rubric, calibration=aspect.calibration, others=(), blend=blend)

    def words_alone(self) -> "ModelInfo":
        """Return the metadata of a hybrid's lexical part, as of a lexical model."""
        return replace(self, kind="lexical", encoder="", windows=Windows(self.words, 1), words=0, blend=())

    def calibrated(self, calibrations: Sequence[Calibration]) -> "ModelInfo":
        """Return the metadata with a calibration for each rubric, in the order of the outputs."""
        first, *rest = calibrations
        others = [
            replace(aspect, calibration=calibration) for aspect, calibration in zip(self.others, rest, strict=True)
        ]
        return replace(self, calibration=first, others=tuple(others))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without `others`, `kind`, `words` and `blend` where they have their defaults."""
        # A hybrid has as many blends as rubrics, so that both are shortened together.
        fields = asdict(replace(self, others=(), blend=self.blend[:1]))
        fields["blend"] = [asdict(each) for each in self.blend]
        # Earlier releases refuse unknown fields, and must still read models of the kind that they know.
        del fields["others"]
        if self.kind == "encoder":
            del fields["kind"]
        if self.kind != "hybrid":
            del fields["words"], fields["blend"]
        fields["calibration"] = self.calibration.to_json() if self.calibration else None
        others = {"others": [aspect.to_json() for aspect in self.others]} if self.others else {}
        return {"format": FORMAT, **fields, **others}

    @classmethod
    def read(cls, folder: Path) -> "ModelInfo":
        """Return the metadata of a model folder. Raise InputError if Assay did not write it, or a later release did."""
        where = str(folder)
        try:
            content = (folder / NAME).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"no Assay model: {NAME} is missing", where=where, fix="Name a folder that `assay train` wrote"
            ) from error
        except OSError as error:
            raise InputError(f"{NAME} cannot be read: {error}", where=where, fix=GET_AGAIN) from error
        fields = parse_json(dict[str, Any], content, what=NAME, where=where, fix=GET_AGAIN)
        # Check the format before the fields: a later release may have other fields.
        version = parse_record(_Header, fields, what=NAME, where=where, fix=GET_AGAIN).format
        if version != FORMAT:
            raise InputError(
                f"model format {version}, this release reads {FORMAT}",
                where=where,
                fix="Install the release that wrote it, or train it again",
            )
        del fields["format"]
        return parse_record(cls, fields, what=NAME, where=where, fix=GET_AGAIN)

    def write(self, folder: Path) -> None:
        """Write `assay.json` into a folder being staged."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / NAME).write_text(text + "\n", encoding="utf-8")


def require_distinct(rubrics: Sequence[Rubric]) -> None:
    """Raise InputError if one model cannot score by all of these rubrics: a name is invalid, or two names clash.

    The main rubric is the first.
    """
    ModelInfo("", rubrics[0], Windows(), others=tuple(Aspect(rubric) for rubric in rubrics[1:]))


def calibrated_info(model: Path) -> ModelInfo:
    """Return the metadata of a model folder. Raise InputError if the model is not calibrated."""
    info = ModelInfo.read(model)
    if info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    return info
