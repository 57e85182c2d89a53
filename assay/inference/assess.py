"""Assess any text: its score and calibrated outputs, or the reason why it has no score.

Corpora and the service both use it, so that they refuse the same documents for the same reasons.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing import Series

from assay.errors import InputError
from assay.inference.readings import FloatArray, Readings
from assay.inference.scorer import Scorer
from assay.language import identify_language
from assay.model import MEANING, CalibratedScores
from assay.storage import only_known_fields

DAMAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffd]")
"""Control characters except white space, lone surrogates, and U+FFFD, which replaces bytes that were lost."""
CHUNK_DOCUMENTS, CHUNK_CHARACTERS = 1_024, 4_000_000
"""Largest chunk of documents that is encoded at once: enough to sort by length, few enough for the memory."""


class Assessment(pa.DataFrameModel):
    """One row a document. A document that cannot be scored has a `reason` and no score.

    These columns are those of the main rubric. Columns of further rubrics (`legal_score`, …) follow.
    """

    score: Series[float] = pa.Field(nullable=True, description="raw output of the model")
    calibrated: Series[float] = pa.Field(nullable=True, description="expected label")
    p_keep: Series[float] = pa.Field(
        nullable=True,
        ge=0,
        le=1,
        description="probability of reaching the threshold, where as many do as among the calibration documents",
    )
    grade: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    keep: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    tokens: Series[int] = pa.Field(
        ge=0, description="tokens of the whole document, by the model's tokenizer; 0 if unscored"
    )
    read: Series[float] = pa.Field(ge=0, le=1, description="share of the tokens that the model read")
    language: Series[str] = pa.Field(description="ISO 639; empty if refused or not recognised")
    in_scope: Series[bool] = pa.Field(description="false if beyond doubt in a language that the model was not made for")
    reason: Series[str] = pa.Field(nullable=True, description="reason why the document has no score, one of REASONS")

    class Config:
        strict = True
        coerce = True


@only_known_fields
@dataclass(frozen=True)
class Limits:
    """Limits of a document. Texts beyond them get no score, because the score would mean something else."""

    characters: int = 1_000_000
    """Longest text that is scored. Windows cannot represent a longer one, which is a dump or a concatenation."""
    damaged: float = 0.01
    """Largest share of damaged characters: controls, lone surrogates, U+FFFD."""
    repetition: float = 50.0
    """Largest ratio of a text's bytes to its zlib-compressed bytes. Prose has 2 to 3, tables up to 20."""

    def __post_init__(self) -> None:
        checks = {
            f"characters {self.characters} must be at least 1": self.characters >= 1,
            f"damaged {self.damaged:g} must lie between 0 and 1": 0 <= self.damaged <= 1,
            f"repetition {self.repetition:g} must be above 1": self.repetition > 1,
        }
        for what, holds in checks.items():
            if not holds:
                raise InputError(what, where="limits of a document")


REPETITION_FROM = 10_000
"""Characters from which repetition is checked. The model reads and scores a shorter text as it is."""
REASONS = {
    "no text": "it is empty, or nothing but white space",
    "too long": "it is longer than what counts as one document",
    "damaged": "controls, lone surrogates or replacement characters: it was decoded wrongly",
    "repetitive": "it compresses so far that it says the same again and again",
    "failed": "the model gave no finite score, or an error, for this document alone",
}


def refusal(text: str | None, limits: Limits) -> str | None:
    """Return the reason why a text is not scored, one of REASONS. None if it is scored."""
    if text is None or not text.strip():
        return "no text"
    if len(text) > limits.characters:
        return "too long"
    if sum(1 for _ in DAMAGE.finditer(text)) > limits.damaged * len(text):
        return "damaged"
    if len(text) >= REPETITION_FROM:
        data = text.encode("utf-8", "replace")
        if len(data) > limits.repetition * len(zlib.compress(data, level=1)):
            return "repetitive"
    return None


@dataclass(frozen=True)
class Opinion:
    """Scores of n documents by one further rubric; arrays of shape (n,)."""

    columns: tuple[str, ...]
    """Names of its columns in tables, in the order of MEANING."""
    score: FloatArray
    meaning: CalibratedScores


@dataclass(frozen=True)
class Assessed:
    """Assessment of n documents: the same columns as Assessment, as arrays of shape (n,) and lists."""

    scored: NDArray[np.bool_]
    """True for documents with a score. The other documents have arbitrary values in `meaning`."""
    score: FloatArray
    meaning: CalibratedScores
    tokens: NDArray[np.int64]
    read: FloatArray
    language: list[str]
    in_scope: list[bool]
    reason: list[str | None]
    others: Mapping[str, Opinion] = field(default_factory=dict)
    """Scores by each further rubric, by its name."""
    features: NDArray[np.float32] | None = None
    """What the output layer reads of each document, shape (n, hidden); 0 without a score. None unless asked for."""

    def table(self) -> pd.DataFrame:
        """Return a table Assessment, followed by the columns of further rubrics."""
        table = pd.DataFrame(
            {
                **self._columns(MEANING, self.score, self.meaning),
                "tokens": self.tokens,
                "read": self.read,
                "language": self.language,
                "in_scope": self.in_scope,
                "reason": self.reason,
            }
        )
        for other in self.others.values():
            table = table.assign(**self._columns(other.columns, other.score, other.meaning))
        return table

    def _columns(self, names: Sequence[str], score: FloatArray, meaning: CalibratedScores) -> dict[str, Any]:
        """Return the columns under these names, in the order of MEANING, missing for documents without a score."""
        missing = np.where(self.scored, 0.0, np.nan)
        columns = (
            score,
            meaning.calibrated + missing,
            meaning.p_keep + missing,
            pd.arrays.IntegerArray(meaning.grade.astype(np.int64), ~self.scored),
            pd.arrays.BooleanArray(meaning.keep, ~self.scored),
        )
        return dict(zip(names, columns, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """Return the same as JSON values, one dictionary a document. For few documents it is far quicker than `table`.

        Values of further rubrics are in the field `rubrics`, by their names. Without further rubrics it is missing.
        """
        main = self._values(self.score, self.meaning)
        others = {name: self._values(other.score, other.meaning) for name, other in self.others.items()}
        return [
            {
                **main[row],
                "tokens": int(self.tokens[row]),
                "read": float(self.read[row]),
                "language": self.language[row],
                "in_scope": self.in_scope[row],
                "reason": self.reason[row],
                **({"rubrics": {name: values[row] for name, values in others.items()}} if others else {}),
            }
            for row in range(len(self.scored))
        ]

    def _values(self, score: FloatArray, meaning: CalibratedScores) -> list[dict[str, Any]]:
        """Return the values of each document, under the names of MEANING. None for documents without a score."""
        columns = (score, meaning.calibrated, meaning.p_keep, meaning.grade, meaning.keep)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [
            dict(zip(MEANING, row if known else [None] * len(MEANING), strict=True))
            for row, known in zip(rows, self.scored.tolist(), strict=True)
        ]


def assess(
    scorer: Scorer,
    texts: Sequence[str | None],
    limits: Limits = Limits(),
    *,
    update: Callable[[int], object] | None = None,
    features: bool = False,
) -> Assessed:
    """Assess texts, in their order. No content of a text raises an error.

    `update` is called with the number of documents just finished. `features`: return the vectors, too. The same texts
    in the same order give the same bytes on the same machine. Raise InputError for a model without calibration. Raise
    the error of the network if each of several documents causes it: then the model is at fault, not a document.
    """
    aspects = scorer.model.info.aspects
    calibrations = [aspect.calibration for aspect in aspects if aspect.calibration]
    if len(calibrations) < len(aspects):
        raise InputError("this model was never calibrated", fix="Train it with `assay train`")
    reasons = [refusal(text, limits) for text in texts]
    tokens, read = np.zeros(len(texts), np.int64), np.zeros(len(texts))
    score_DR = np.full((len(texts), len(aspects)), np.nan)
    feature_DH = np.zeros((len(texts), scorer.reader.hidden), np.float32) if features else None
    for rows in _chunks([len(text or "") if not reason else 0 for text, reason in zip(texts, reasons, strict=True)]):
        accepted = [row for row in rows if reasons[row] is None]
        found = _read(scorer, [str(texts[row]) for row in accepted], update, features)
        if update:
            update(len(rows) - len(accepted))
        score_DR[accepted], tokens[accepted], read[accepted] = found.scores, found.tokens, found.read
        if feature_DH is not None and found.features is not None:
            feature_DH[accepted] = found.features
    scored = np.isfinite(score_DR).all(axis=1)
    # A missing score is calibrated as 0, because grade and keep have no missing values. `scored` masks it.
    meanings = [
        calibration.apply(np.where(scored, score_D, 0.0))
        for calibration, score_D in zip(calibrations, score_DR.T, strict=True)
    ]
    score_DR = np.where(scored[:, None], score_DR, np.nan)
    quick = scorer.model.info.kind == "lexical"
    with scorer.times.of("language"):
        languages = [
            identify_language(text, quick=quick) if text and reason is None else None
            for text, reason in zip(texts, reasons, strict=True)
        ]
    return Assessed(
        scored=scored,
        score=score_DR[:, 0],
        meaning=meanings[0],
        tokens=tokens,
        read=read,
        language=[language.code if language else "" for language in languages],
        in_scope=[not (language and language.outside(scorer.model.info.languages)) for language in languages],
        reason=[reason or (None if good else "failed") for reason, good in zip(reasons, scored, strict=True)],
        others={
            aspect.rubric.name: Opinion(aspect.columns, score_DR[:, number], meanings[number])
            for number, aspect in enumerate(aspects)
            if number
        },
        features=feature_DH,
    )


def _chunks(characters: Sequence[int]) -> Iterator[range]:
    """Yield the rows of each chunk that is encoded at once."""
    start = total = 0
    for row, count in enumerate(characters):
        if row > start and (row - start == CHUNK_DOCUMENTS or total + count > CHUNK_CHARACTERS):
            yield range(start, row)
            start, total = row, 0
        total += count
    if start < len(characters):
        yield range(start, len(characters))


def _read(scorer: Scorer, texts: Sequence[str], update: Callable[[int], object] | None, features: bool) -> Readings:
    """Return the readings of a chunk. If some documents cause an error, those have no score, and the others do."""
    try:
        return scorer.read(texts, update=update, features=features)
    except Exception:
        # One document that a tokenizer or network fails on must not cost the others their scores.
        tokens, read = np.zeros(len(texts), np.int64), np.zeros(len(texts))
        score_DR = np.full((len(texts), len(scorer.outputs)), np.nan)
        feature_DH = np.zeros((len(texts), scorer.reader.hidden), np.float32) if features else None
        broken = 0
        for row, text in enumerate(texts):
            try:
                alone = scorer.read([text], features=features)
                score_DR[row], tokens[row], read[row] = alone.scores[0], alone.tokens[0], alone.read[0]
                if feature_DH is not None and alone.features is not None:
                    feature_DH[row] = alone.features[0]
            except Exception:
                broken += 1
        if broken == len(texts) > 1:
            raise  # a fault of the model or the machine: nothing here is specific to a document
        return Readings(score_DR, tokens, read, feature_DH)
