"""What is said of any document, whatever it holds: its score and meaning, or the reason why there is none.

Corpora and the service go through here, so that both refuse the same documents for the same reasons.
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
from assay.inference.scorer import FloatArray, Readings, Scorer
from assay.language import identify_language
from assay.model import MEANING, CalibratedScores

DAMAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffd]")
"""Control characters but white space, lone surrogates, and U+FFFD, which stands where something was lost."""
CHUNK_DOCUMENTS, CHUNK_CHARACTERS = 1_024, 4_000_000
"""Documents encoded at once: enough to sort them by length, few enough for the memory."""


class Assessment(pa.DataFrameModel):
    """One row a document. A document that cannot be scored says why, and has no score.

    Of a model with several rubrics these are the main one's columns; those of the others (`legal_score`, …) stand
    behind them.
    """

    score: Series[float] = pa.Field(nullable=True, description="the model's raw output")
    calibrated: Series[float] = pa.Field(nullable=True, description="expected label")
    p_keep: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="probability of reaching the threshold")
    grade: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    keep: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    tokens: Series[int] = pa.Field(ge=0, description="of the whole document, by the model's tokenizer; 0 if unscored")
    read: Series[float] = pa.Field(ge=0, le=1, description="share of the tokens that the model read")
    language: Series[str] = pa.Field(description="ISO 639; empty where nothing was read")
    in_scope: Series[bool] = pa.Field(description="not, beyond doubt, in a language the model was not made for")
    reason: Series[str] = pa.Field(nullable=True, description="why there is no score, one of REASONS")

    class Config:
        strict = True
        coerce = True


@dataclass(frozen=True)
class Limits:
    """What counts as a document. What lies beyond gets no score: the score would be about something else."""

    characters: int = 1_000_000
    """Longest text that is scored: of a longer one, a dump or a concatenation, windows say nothing."""
    damaged: float = 0.01
    """Largest share of characters that no text has: controls, lone surrogates, U+FFFD."""
    repetition: float = 50.0
    """Largest ratio of a text's length to its zlib-compressed one; prose has 2 to 3, tables up to 20."""

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
"""Characters from which repetition is looked for; a shorter text is read by the model, which can judge it."""
REASONS = {
    "no text": "it is empty, or nothing but white space",
    "too long": "it is longer than what counts as one document",
    "damaged": "controls, lone surrogates or replacement characters: it was decoded wrongly",
    "repetitive": "it compresses so far that it says the same again and again",
    "failed": "the model gave no finite score, or an error, for this document alone",
}


def refusal(text: str | None, limits: Limits) -> str | None:
    """Why a text is not scored, one of REASONS; None for one that is."""
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
    """What is said of n documents by one further rubric."""

    columns: tuple[str, ...]
    """What it is called in tables, in the order of MEANING."""
    score: FloatArray
    meaning: CalibratedScores


@dataclass(frozen=True)
class Assessed:
    """What is said of n documents; the same columns as Assessment, as arrays of shape (n,) and lists."""

    scored: NDArray[np.bool_]
    """Where there is a score; elsewhere the meaning is that of any number."""
    score: FloatArray
    meaning: CalibratedScores
    tokens: NDArray[np.int64]
    read: FloatArray
    language: list[str]
    in_scope: list[bool]
    reason: list[str | None]
    others: Mapping[str, Opinion] = field(default_factory=dict)
    """By the name of each further rubric."""

    def table(self) -> pd.DataFrame:
        """As Assessment, with the columns of further rubrics behind."""
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
        """Under these names, in the order of MEANING, with nothing where there is no score."""
        missing = np.where(self.scored, 0.0, np.nan)
        said = (
            score,
            meaning.calibrated + missing,
            meaning.p_keep + missing,
            pd.arrays.IntegerArray(meaning.grade.astype(np.int64), ~self.scored),
            pd.arrays.BooleanArray(meaning.keep, ~self.scored),
        )
        return dict(zip(names, said, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """The same as JSON values, a document each; for a few documents far quicker than a table.

        What further rubrics say stands under `rubrics` by their names, where there are any.
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
                **({"rubrics": {name: said[row] for name, said in others.items()}} if others else {}),
            }
            for row in range(len(self.scored))
        ]

    def _values(self, score: FloatArray, meaning: CalibratedScores) -> list[dict[str, Any]]:
        """Of each document, under the names of MEANING; None where there is no score."""
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
) -> Assessed:
    """Assess texts, in their order. Never raises because of what a text holds.

    `update` is told, as the work goes on, how many more documents are done.

    The same texts in the same order give the same bytes on the same machine. Raises InputError for a model
    that was never calibrated; an error that all of several documents cause is the model's, and is raised too.
    """
    aspects = scorer.model.info.aspects
    calibrations = [aspect.calibration for aspect in aspects if aspect.calibration]
    if len(calibrations) < len(aspects):
        raise InputError("this model was never calibrated", fix="Train it with `assay train`")
    reasons = [refusal(text, limits) for text in texts]
    tokens, read = np.zeros(len(texts), np.int64), np.zeros(len(texts))
    score_DR = np.full((len(texts), len(aspects)), np.nan)
    for rows in _chunks([len(text or "") if not reason else 0 for text, reason in zip(texts, reasons, strict=True)]):
        wanted = [row for row in rows if reasons[row] is None]
        found = _read(scorer, [str(texts[row]) for row in wanted], update)
        if update:
            update(len(rows) - len(wanted))
        score_DR[wanted], tokens[wanted], read[wanted] = found.scores, found.tokens, found.read
    scored = np.isfinite(score_DR).all(axis=1)
    meanings = [
        calibration.apply(np.where(scored, score_D, 0.0))
        for calibration, score_D in zip(calibrations, score_DR.T, strict=True)
    ]
    score_DR = np.where(scored[:, None], score_DR, np.nan)
    languages = [
        identify_language(text) if text and reason is None else None
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
    )


def _chunks(characters: Sequence[int]) -> Iterator[range]:
    """Row numbers in runs of as many documents as are encoded at once."""
    start = total = 0
    for row, count in enumerate(characters):
        if row > start and (row - start == CHUNK_DOCUMENTS or total + count > CHUNK_CHARACTERS):
            yield range(start, row)
            start, total = row, 0
        total += count
    if start < len(characters):
        yield range(start, len(characters))


def _read(scorer: Scorer, texts: Sequence[str], update: Callable[[int], object] | None) -> Readings:
    """Readings of a chunk; where one document breaks it, of the others, and no number for that one."""
    try:
        return scorer.read(texts, update=update)
    except Exception:
        # Whatever a tokenizer or a network does on one document, the others must get their scores.
        tokens, read = np.zeros(len(texts), np.int64), np.zeros(len(texts))
        score_DR = np.full((len(texts), len(scorer.outputs)), np.nan)
        broken = 0
        for row, text in enumerate(texts):
            try:
                alone = scorer.read([text])
                score_DR[row], tokens[row], read[row] = alone.scores[0], alone.tokens[0], alone.read[0]
            except Exception:
                broken += 1
        if broken == len(texts) > 1:
            raise
        return Readings(score_DR, tokens, read)
