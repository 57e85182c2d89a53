"""Read texts with a lexical model."""

from collections.abc import Callable, Sequence

import numpy as np

from assay.errors import InputError
from assay.inference.readings import Readings, WindowScore
from assay.inference.times import Times
from assay.model import LexicalModel


class LexicalReader:
    """The weights of a lexical model. It gives the outputs of some of its rubrics, and its tokens are words."""

    def __init__(self, model: LexicalModel, outputs: Sequence[int], *, times: Times | None = None) -> None:
        self.model, self.outputs, self.times = model, list(outputs), times or Times()

    @property
    def hidden(self) -> int:
        """0: words have no vector here."""
        return 0

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished.

        Raise InputError for `features`, which a lexical model does not have.
        """
        if features:
            raise _no_vectors()
        with self.times.of("model"):
            scores, words, read = self.model.weights.read(texts, self.model.info.windows.tokens)
        if update:
            update(len(texts))
        return Readings(scores[:, self.outputs], words, np.where(words > 0, read / np.maximum(words, 1), 1.0))

    def windows(self, text: str) -> list[WindowScore]:
        """Return the only window of a text: as many characters as the share of its words that is read."""
        found = self.read([text])
        return [WindowScore(0, round(len(text) * float(found.read[0])), float(found.scores[0, 0]))]

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:  # noqa: ARG002
        """Raise InputError: words have no vectors here."""
        raise _no_vectors()


def _no_vectors() -> InputError:
    return InputError("a lexical model has no embeddings", fix="Take a model with an encoder")
