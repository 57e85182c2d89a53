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
    """Record the scores of documents spread evenly over the range of scores, into a folder being staged."""
    scores = scorer.score(texts)["score"].to_numpy()
    order = np.argsort(scores, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(documents, len(order))).round().astype(int))]
    rows = [{"id": ids[i], "text": texts[i], "score": float(scores[i])} for i in chosen.tolist()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / NAME).write_text(lines, encoding="utf-8")


def read_golden(folder: Path) -> list[dict[str, object]]:
    """The recorded documents: `id`, `text`, `score`. Raises InputError where there are none."""
    try:
        return [json.loads(line) for line in (folder / NAME).read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError as error:
        raise InputError(f"no golden documents: {NAME} is missing", where=str(folder)) from error


def check_golden(scorer: Scorer, folder: Path) -> GoldenReport:
    """Score the golden documents again, all in one batch and each alone, and compare with what was recorded."""
    golden = read_golden(folder)
    texts = [str(row["text"]) for row in golden]
    expected = np.array([float(str(row["score"])) for row in golden])
    together = scorer.score(texts)["score"].to_numpy()
    alone = np.concatenate([scorer.score([text])["score"].to_numpy() for text in texts])
    info = scorer.model.info
    tolerance = TOLERANCE[info.precision] * (info.rubric.high - info.rubric.low)
    worst = max(np.abs(together - expected).max(), np.abs(alone - expected).max())
    return GoldenReport(len(golden), float(worst), tolerance)
