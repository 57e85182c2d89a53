"""Profile of a model's answers: counts of scores, lengths, languages and decisions, on fixed grids.

The profile of the calibration part is stored in the model folder as `reference.json`, and that of a further rubric as
`reference-RUBRIC.json`. The watch compares later answers with it, and a selection its corpus.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.rubric import Rubric
from assay.storage import only_known_fields, parse_json, parse_record

REFERENCE = "reference.json"
FORMAT = 1
CELLS_A_SCALE = 1_024
"""Cells of the score grid over the scale of the rubric. The grid extends half a scale beyond each end; scores further
out are counted in its outermost cells."""
CELLS_AN_OCTAVE = 8
"""Cells of the length grid from one length to its double."""
PROFILED = ("score", "tokens", "read", "keep", "language", "reason")
"""Columns of an Assessment that a profile counts."""
GET_AGAIN = "Get the model again"


@dataclass(frozen=True)
class _Header:
    """Fields that tell whether the counts are on the grids of this release."""

    format: int
    cells: tuple[int, int]


@only_known_fields
@dataclass(frozen=True)
class Profile:
    """Exact counts of the scored documents of one population.

    The grids do not depend on the data, so that profiles can be added.
    """

    low: float
    """Lowest grade of the rubric."""
    high: float
    """Highest grade of the rubric."""
    documents: int = 0
    """Documents with a score. Documents without one are not counted."""
    scores: Mapping[int, int] = field(default_factory=dict)
    """Cell of the score -> documents."""
    lengths: Mapping[int, int] = field(default_factory=dict)
    """Cell of the length in tokens of the model's tokenizer -> documents."""
    languages: Mapping[str, int] = field(default_factory=dict)
    """Language as ISO 639 -> documents. The empty text counts documents in no recognised language."""
    truncated: int = 0
    """Documents of which the model read a part."""
    kept: int = 0
    """Documents whose score reaches the cut."""
    worth: float | None = None
    """Independent documents that these are worth, which come in clusters or in runs. None: each is independent; 0: they
    come in so few runs that it cannot be told."""

    @property
    def independent(self) -> float:
        """Independent documents that these are worth."""
        return float(self.documents) if self.worth is None else min(self.worth, float(self.documents))

    @classmethod
    def of(cls, rubric: Rubric, table: pd.DataFrame) -> "Profile":
        """Count the rows of a table with the columns PROFILED.

        Rows with a `reason` have no score and are left out. The column `reason` may be missing.
        """
        scored = table[table["reason"].isna()] if "reason" in table else table
        return cls(
            float(rubric.low),
            float(rubric.high),
            documents=len(scored),
            scores=_counts(_score_cells(scored["score"].to_numpy(float), rubric.low, rubric.high)),
            lengths=_counts(_length_cells(scored["tokens"].to_numpy(float))),
            languages=dict(sorted(Counter(scored["language"].fillna("").tolist()).items())),
            truncated=int((scored["read"] < 1).sum()),
            kept=int(scored["keep"].astype(bool).sum()),
        )

    @classmethod
    def sum(cls, rubric: Rubric, parts: Iterable["Profile"]) -> "Profile":
        """Add profiles of one rubric."""
        scores: Counter[int] = Counter()
        lengths: Counter[int] = Counter()
        languages: Counter[str] = Counter()
        documents = truncated = kept = 0
        for part in parts:
            scores.update(part.scores)
            lengths.update(part.lengths)
            languages.update(part.languages)
            documents, truncated, kept = documents + part.documents, truncated + part.truncated, kept + part.kept
        counts = (dict(sorted(scores.items())), dict(sorted(lengths.items())), dict(sorted(languages.items())))
        return cls(float(rubric.low), float(rubric.high), documents, *counts, truncated=truncated, kept=kept)

    def score_at(self, cell: int) -> float:
        """Return the lower edge of a cell of the score grid."""
        return self.low + cell / CELLS_A_SCALE * (self.high - self.low)

    @staticmethod
    def length_at(cell: int) -> float:
        """Return the lower edge of a cell of the length grid, in tokens."""
        return float(2 ** (cell / CELLS_AN_OCTAVE) - 1)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, equal for equal profiles."""
        # Without `worth` if there is none: earlier releases refuse unknown fields.
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {"format": FORMAT, "cells": [CELLS_A_SCALE, CELLS_AN_OCTAVE], **fields}

    def write(self, folder: Path, further: str = "") -> None:
        """Write the profile into a model folder being staged. `further`: name of a further rubric."""
        (folder / _file(further)).write_text(json.dumps(self.to_json(), allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path, further: str = "") -> "Profile":
        """Return the profile of a model folder. `further`: name of a further rubric.

        Raise InputError if the file is missing, as in models of earlier releases, or damaged.
        """
        where, name = str(folder), _file(further)
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"no reference is kept with this model: {name} is missing",
                where=where,
                fix="Name scores of a corpus to compare with, or calibrate it with this release",
            ) from error
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error}", where=where, fix=GET_AGAIN) from error
        fields = parse_json(dict[str, Any], content, what=name, where=where, fix=GET_AGAIN)
        header = parse_record(_Header, fields, what=name, where=where, fix=GET_AGAIN)
        if header != _Header(FORMAT, (CELLS_A_SCALE, CELLS_AN_OCTAVE)):
            raise InputError(f"{name} cannot be read: it has another format", where=where, fix=GET_AGAIN)
        del fields["format"], fields["cells"]
        profile = parse_record(cls, fields, what=name, where=where, fix=GET_AGAIN)
        if fault := profile._fault():
            raise InputError(f"{name} cannot be read: {fault}", where=where, fix=GET_AGAIN)
        return profile

    def _fault(self) -> str:
        """Return the first contradiction between the counts. Empty if they agree."""
        for name, counts in (("scores", self.scores), ("lengths", self.lengths), ("languages", self.languages)):
            if min(counts.values(), default=0) < 0 or sum(counts.values()) != self.documents:
                return f"{name} do not add up to {self.documents} documents"
        for name, count in (("truncated", self.truncated), ("kept", self.kept)):
            if not 0 <= count <= self.documents:
                return f"{name} is {count} of {self.documents} documents"
        return ""


def _file(further: str) -> str:
    """Return the name of the file with the profile by the main rubric, or by a further one."""
    return f"{Path(REFERENCE).stem}-{further}.json" if further else REFERENCE


def _score_cells(scores: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    """Return the cell of each score on the linear grid."""
    cells = np.floor((scores - low) / (high - low) * CELLS_A_SCALE)
    return np.clip(cells, -CELLS_A_SCALE // 2, 3 * CELLS_A_SCALE // 2).astype(np.int64)


def _length_cells(tokens: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cell of each length on the logarithmic grid."""
    # + 1, because an empty document has 0 tokens and 0 has no logarithm.
    return np.floor(CELLS_AN_OCTAVE * np.log2(tokens + 1)).astype(np.int64)


def _counts(cells: NDArray[np.int64]) -> dict[int, int]:
    """Return the documents in each cell that is not empty."""
    values, counts = np.unique(cells, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
