"""Simulated documents whose truth is known, for `benchmarks.promises`, and the name of the processor."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from assay.rubric import Rubric

FloatArray = NDArray[np.float64]
RUBRIC = Rubric("simulated", 0, 1, 1.0, "average_precision", "")
ICC = 0.3
"""Share of the variance that documents of one cluster have in common."""
NOISE = 0.6
"""Standard deviation of the score's error, in standard deviations of quality."""


@dataclass(frozen=True)
class Documents:
    """Simulated documents, as arrays of shape (n,)."""

    score: FloatArray
    positive: NDArray[np.bool_]
    cluster: NDArray[np.int64]


def draw(
    n: int, size: int, prevalence: float, rng: np.random.Generator, *, icc: float = ICC, noise: float = NOISE
) -> Documents:
    """Draw n documents in clusters of `size`."""
    cluster = np.arange(n) // size

    def clustered() -> FloatArray:
        common, own = rng.normal(size=cluster[-1] + 1), rng.normal(size=n)
        # Alone in its cluster, a document has no common part: the draw is then of independent documents.
        return np.sqrt(icc) * common[cluster] + np.sqrt(1 - icc) * own

    quality = clustered()
    return Documents(quality + noise * clustered(), quality > norm.isf(prevalence), cluster)


def table(documents: Documents, score: FloatArray, p_keep: FloatArray, keep: NDArray[np.bool_]) -> pd.DataFrame:
    """Return a Predictions table."""
    return pd.DataFrame(
        {
            "id": [f"d{place:05d}" for place in range(len(score))],
            "cluster": documents.cluster,
            "label": documents.positive.astype(float),
            "score": score,
            "calibrated": p_keep,
            "p_keep": p_keep,
            "grade": keep.astype(int),
            "keep": keep,
        }
    )


class Truth:
    """Precision and recall at any cut, from 400,000 independent documents."""

    def __init__(self, prevalence: float, noise: float = NOISE) -> None:
        known = draw(400_000, 1, prevalence, np.random.default_rng(99), noise=noise)
        order = np.argsort(known.score)
        self.score = known.score[order]
        self.above = np.cumsum(known.positive[order][::-1])[::-1]

    def at(self, cut: float | None) -> tuple[float, float]:
        """Return precision and recall of the documents with at least this score."""
        first = int(np.searchsorted(self.score, np.inf if cut is None else cut))
        if first >= len(self.score):
            return 1.0, 0.0
        return self.above[first] / (len(self.score) - first), self.above[first] / self.above[0]

    def average_precision(self) -> float:
        """Return the average precision of the score."""
        kept = np.arange(len(self.score), 0, -1)
        gained = -np.diff(self.above, append=0)
        return float((gained * self.above / kept).sum() / self.above[0])


def resample(documents: Documents, prevalence: float, n: int, rng: np.random.Generator) -> Documents:
    """Draw n of the documents so that a share `prevalence` of them is positive."""
    sides = [np.flatnonzero(documents.positive), np.flatnonzero(~documents.positive)]
    many = round(n * prevalence)
    rows = np.concatenate([rng.choice(sides[0], many), rng.choice(sides[1], n - many)])
    return Documents(documents.score[rows], documents.positive[rows], np.arange(n))


def processor() -> str:
    """Return the name of the processor and those of its features that change floating-point results."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    have = set(named.get("flags", "").split())
    shown = [name for name in ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile") if name in have]
    return f"{named.get('model name', 'unknown')}; {', '.join(shown) or 'features unknown'}"
