"""What a model reads off texts, and the interface of what reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """Raw outputs of the network for n texts."""

    scores: FloatArray
    """Scores by each rubric, shape (n, rubrics)."""
    tokens: NDArray[np.int64]
    """Tokens of the whole text, by the model's tokenizer; shape (n,)."""
    read: FloatArray
    """Share of these tokens that is in at least one window; shape (n,)."""
    features: NDArray[np.float32] | None = None
    """What the output layer reads of each text, the mean over its windows; shape (n, hidden). None unless asked for."""

    @property
    def score(self) -> FloatArray:
        """Scores by the main rubric, shape (n,)."""
        return self.scores[:, 0]


@dataclass(frozen=True)
class WindowScore:
    """Score of one window of a text."""

    start: int
    """First character."""
    end: int
    """Character after the last."""
    score: float
    """Score of this window alone."""


class Reader(Protocol):
    """A network or another model, without the meaning of its scores."""

    @property
    def hidden(self) -> int:
        """Length of the vector of a text; 0 if there is none."""

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished."""

    def windows(self, text: str) -> list[WindowScore]:
        """Return the windows of one text, in order. Their mean score is the text's score by the main rubric."""

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return a vector of each text, shape (texts, hidden)."""
