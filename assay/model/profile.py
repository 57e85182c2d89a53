"""What a model's answers look like in bulk: counts of score, length, language and decisions, on grids fixed beforehand.

The profile of the calibration part is kept in the model folder, as `reference.json`, to compare later answers with.
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

REFERENCE = "reference.json"
FORMAT = 1
CELLS_A_SCALE = 1_024
"""Cells of the score grid over the scale of the rubric. Half a scale beyond each end is on the grid; what lies further
out is counted in its outermost cells."""
CELLS_AN_OCTAVE = 8
"""Cells of the length grid from one length to its double."""
PROFILED = ("score", "tokens", "read", "keep", "language", "reason")
"""What a profile is made of: columns of an Assessment."""


@dataclass(frozen=True)
class Profile:
    """Exact counts of the scored documents of one population. Grids depend on no data, so that counts add up."""

    low: float
    """Ends of the scale of labels."""
    high: float
    documents: int = 0
    """With a score; others are not counted."""
    scores: Mapping[int, int] = field(default_factory=dict)
    """Cell of the score -> documents."""
    lengths: Mapping[int, int] = field(default_factory=dict)
    """Cell of the length in tokens of the model's tokenizer -> documents."""
    languages: Mapping[str, int] = field(default_factory=dict)
    """ISO 639 -> documents; empty where none was recognised."""
    truncated: int = 0
    """Read in part."""
    kept: int = 0

    @classmethod
    def of(cls, rubric: Rubric, table: pd.DataFrame) -> "Profile":
        """Of rows with PROFILED, where `reason` is empty for those that have a score; `reason` may be missing."""
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
        """Of all parts together."""
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
        """Lower edge of a cell of the score grid."""
        return self.low + cell / CELLS_A_SCALE * (self.high - self.low)

    @staticmethod
    def length_at(cell: int) -> float:
        """Lower edge of a cell of the length grid, in tokens."""
        return float(2 ** (cell / CELLS_AN_OCTAVE) - 1)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the same for equal profiles."""
        return {"format": FORMAT, "cells": [CELLS_A_SCALE, CELLS_AN_OCTAVE], **asdict(self)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Profile":
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError for anything else."""
        given = dict(fields)
        if (given.pop("format"), given.pop("cells")) != (FORMAT, [CELLS_A_SCALE, CELLS_AN_OCTAVE]):
            raise ValueError("another format")
        for name, key in (("scores", int), ("lengths", int), ("languages", str)):
            given[name] = {key(cell): int(count) for cell, count in given[name].items()}
            if min(given[name].values(), default=0) < 0 or sum(given[name].values()) != given["documents"]:
                raise ValueError(f"{name} do not add up to {given['documents']} documents")
        for name in ("truncated", "kept"):
            if not 0 <= given[name] <= given["documents"]:
                raise ValueError(f"{name} is {given[name]} of {given['documents']} documents")
        return cls(**given)

    def write(self, folder: Path) -> None:
        """Write `reference.json` into a model folder being staged."""
        (folder / REFERENCE).write_text(json.dumps(self.to_json(), allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Profile":
        """Of a model folder. Raises InputError where there is none, as in models of earlier releases."""
        try:
            return cls.from_json(json.loads((folder / REFERENCE).read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise InputError(
                f"no reference is kept with this model: {REFERENCE} is missing",
                where=str(folder),
                fix="Name scores of a corpus to compare with, or calibrate it with this release",
            ) from error
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{REFERENCE} cannot be read: {error!r}", where=str(folder), fix="Get the model again"
            ) from error


def _score_cells(scores: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    cells = np.floor((scores - low) / (high - low) * CELLS_A_SCALE)
    return np.clip(cells, -CELLS_A_SCALE // 2, 3 * CELLS_A_SCALE // 2).astype(np.int64)


def _length_cells(tokens: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(CELLS_AN_OCTAVE * np.log2(tokens + 1)).astype(np.int64)


def _counts(cells: NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(cells, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
