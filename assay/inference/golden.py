"""Golden documents: a few texts with the scores that this model gave, to be given again everywhere it runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.errors import InputError
from assay.inference.scorer import Scorer

NAME = "golden.jsonl"
TOLERANCE = {"fp32": 1e-3, "bf16": 5e-3}
"""Of the scale's width, by the model's precision. On two machines, or in batches of another shape, fp32 differs by
about 1e-6 of it, and bf16 by up to 1e-3 (150 documents of the sample, alone and in batches)."""


@dataclass(frozen=True)
class GoldenReport:
    """How far this machine, or this backend, is from the scores that were recorded."""

    documents: int
    worst: float
    """Largest absolute difference of a score, in labels."""
    tolerance: float
    """Largest difference allowed, in labels."""

    @property
    def passed(self) -> bool:
        return self.worst <= self.tolerance


def write_golden(
    scorer: Scorer, ids: Sequence[str], texts: Sequence[str], folder: Path, *, documents: int = 12
) -> None:
    """Record the scores of documents spread evenly over the range of scores, into a folder being staged.

    Of a model with several rubrics the main one's range counts, and the scores by the others stand beside its own.
    """
    scored = scorer.score(texts)[_columns(scorer)]
    scores = scored["score"].to_numpy()
    order = np.argsort(scores, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(documents, len(order))).round().astype(int))]
    said = scored.to_dict("records")
    rows = [{"id": ids[i], "text": texts[i], **said[i]} for i in chosen.tolist()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / NAME).write_text(lines, encoding="utf-8")


def read_golden(folder: Path) -> list[dict[str, object]]:
    """The recorded documents: `id`, `text`, `score`, and `…_score` of further rubrics.

    Raises InputError where there are none.
    """
    try:
        return [json.loads(line) for line in (folder / NAME).read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError as error:
        raise InputError(f"no golden documents: {NAME} is missing", where=str(folder)) from error


def check_golden(scorer: Scorer, folder: Path) -> GoldenReport:
    """Score the golden documents again, all in one batch and each alone, and compare with what was recorded.

    Scores by further rubrics are compared on their own scale, and told on the main one's.
    """
    golden, columns = read_golden(folder), _columns(scorer)
    texts = [str(row["text"]) for row in golden]
    expected_DR = np.array([[float(str(row[name])) for name in columns] for row in golden])
    together_DR = scorer.score(texts)[columns].to_numpy()
    alone_DR = np.concatenate([scorer.score([text])[columns].to_numpy() for text in texts])
    info = scorer.model.info
    width_R = np.array([aspect.rubric.high - aspect.rubric.low for aspect in info.aspects])
    off_DR = np.maximum(np.abs(together_DR - expected_DR), np.abs(alone_DR - expected_DR))
    worst = (off_DR.max(axis=0) * (width_R[0] / width_R)).max()
    return GoldenReport(len(golden), float(worst), float(TOLERANCE[info.precision] * width_R[0]))


def _columns(scorer: Scorer) -> list[str]:
    """Of the scores, one for each rubric."""
    return ["score", *(aspect.columns[0] for aspect in scorer.model.info.others)]
