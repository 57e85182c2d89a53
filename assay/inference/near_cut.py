"""Read with a backend, and with the reference again what lies near a cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.inference.readings import FloatArray, Reader, Readings, WindowScore


@dataclass(frozen=True)
class Band:
    """How scores of a backend by one rubric become those of the reference: slope * score + intercept."""

    slope: float = 1.0
    intercept: float = 0.0
    low: float | None = None
    """Mapped scores from `low` to `high` are read again by the reference. None: no score is."""
    high: float | None = None

    def map(self, scores: FloatArray) -> FloatArray:
        """Return scores on the scale of the reference."""
        return self.slope * scores + self.intercept

    def holds(self, mapped: FloatArray) -> NDArray[np.bool_]:
        """Return True for scores that are read again: in the band, or not finite."""
        if self.low is None or self.high is None:
            return ~np.isfinite(mapped)
        return ~np.isfinite(mapped) | ((mapped >= self.low) & (mapped <= self.high))


class CheckedReader:
    """A fast reader, and the reference for texts whose score by any rubric lies in its band."""

    def __init__(self, fast: Reader, reference: Reader, bands: Sequence[Band]) -> None:
        """`bands`: one for each rubric, in their order."""
        self.fast, self.reference, self.bands = fast, reference, tuple(bands)

    @property
    def hidden(self) -> int:
        """Length of the vector of a text."""
        return self.reference.hidden

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished.

        `features`: vectors of the reference; then it reads every text.
        """
        if features:
            return self.reference.read(texts, update=update, features=True)
        found = self.fast.read(texts, update=update)
        score_DR = np.stack([band.map(score) for band, score in zip(self.bands, found.scores.T, strict=True)], axis=1)
        again = np.flatnonzero(
            np.any([band.holds(score) for band, score in zip(self.bands, score_DR.T, strict=True)], axis=0)
        )
        if len(again):
            score_DR[again] = self.reference.read([texts[row] for row in again.tolist()]).scores
        return replace(found, scores=score_DR)

    def windows(self, text: str) -> list[WindowScore]:
        """Return the windows of one text with their scores by the reference."""
        return self.reference.windows(text)

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return the vectors of the reference."""
        return self.reference.embed(texts, progress=progress)
