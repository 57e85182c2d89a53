"""Golden documents: texts with the scores that the model gave them. It must give the same on every machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.inference.backends import Arithmetic
from assay.inference.scorer import Scorer
from assay.storage import parse_json, parse_record

NAME = "golden.jsonl"
TOLERANCE = {"fp32": 1e-3, "bf16": 5e-3, "int8": 0.1}
"""Largest difference as a share of the scale, by arithmetic. Between two machines, or between batches of different
shapes, fp32 differs by about 1e-6, and bf16 by up to 1e-3 (150 documents of the sample, alone and in batches). int8
differed by up to 0.04 of the scale where it worked (64 documents of FineWeb)."""


@dataclass(frozen=True)
class GoldenReport:
    """Difference between the scores of this machine or backend and the recorded scores."""

    documents: int
    worst: float
    """Largest absolute difference of a score, in labels."""
    tolerance: float
    """Largest difference allowed, in labels."""

    @property
    def passed(self) -> bool:
        """True if no score differs by more than the tolerance."""
        return self.worst <= self.tolerance


@dataclass(frozen=True)
class _Required:
    """Fields that every golden document has."""

    id: str
    text: str
    score: float


def write_golden(
    scorer: Scorer, ids: Sequence[str], texts: Sequence[str], folder: Path, *, documents: int = 12
) -> None:
    """Write documents with their scores into a folder being staged.

    The documents are evenly spaced over the ranks of the score, by the main rubric if the model has several. Scores by
    further rubrics are written too.
    """
    scored = scorer.score(texts)[_columns(scorer)]
    scores = scored["score"].to_numpy()
    order = np.argsort(scores, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(documents, len(order))).round().astype(int))]
    values = scored.to_dict("records")
    rows = [{"id": ids[i], "text": texts[i], **values[i]} for i in chosen.tolist()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / NAME).write_text(lines, encoding="utf-8")


def read_golden(folder: Path) -> list[dict[str, Any]]:
    """Return the golden documents: `id`, `text`, `score`, and `…_score` of further rubrics.

    Raise InputError if the file is missing or damaged.
    """
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no golden documents: {NAME} is missing", where=str(folder)) from error
    rows = []
    # Split bytes, not text: str.splitlines also splits at U+2028 and U+0085, which JSON leaves inside a text.
    for number, line in enumerate(content.splitlines(), 1):
        place: dict[str, str] = {"where": f"{folder}, line {number}", "fix": "Get the model again"}
        row = parse_json(dict[str, Any], line, what=NAME, **place)
        parse_record(_Required, row, what=NAME, **place)
        rows.append(row)
    return rows


def check_golden(scorer: Scorer, folder: Path, arithmetic: Arithmetic | None = None) -> GoldenReport:
    """Score the golden documents again, all in one batch and each alone, and compare with the recorded scores.

    A difference by a further rubric is scaled from its scale to that of the main rubric. `arithmetic`: that of the
    scorer's backend, which decides what may differ; without it, the model's own.
    """
    golden, columns = read_golden(folder), _columns(scorer)
    texts = [str(row["text"]) for row in golden]
    expected_DR = np.array([[float(row[name]) for name in columns] for row in golden])
    # Both ways, because scores depend slightly on the shape of the batch (see TOLERANCE).
    together_DR = scorer.score(texts)[columns].to_numpy()
    alone_DR = np.concatenate([scorer.score([text])[columns].to_numpy() for text in texts])
    info = scorer.model.info
    width_R = np.array([aspect.rubric.high - aspect.rubric.low for aspect in info.aspects])
    off_DR = np.maximum(np.abs(together_DR - expected_DR), np.abs(alone_DR - expected_DR))
    worst = (off_DR.max(axis=0) * (width_R[0] / width_R)).max()
    tolerance = max(TOLERANCE[info.precision], TOLERANCE[arithmetic or info.precision])
    return GoldenReport(len(golden), float(worst), float(tolerance * width_R[0]))


def _columns(scorer: Scorer) -> list[str]:
    """Return the columns of the scores, one for each rubric."""
    return ["score", *(aspect.columns[0] for aspect in scorer.model.info.others)]
