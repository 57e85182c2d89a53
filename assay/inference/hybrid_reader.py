"""Read texts with both parts of a hybrid: its network, and its weights over words."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from assay.inference.encoder_reader import EncoderReader
from assay.inference.lexical_reader import LexicalReader
from assay.inference.readings import FloatArray, Readings, WindowScore
from assay.model import Blend


class HybridReader:
    """Two readers, whose scores are blended. Tokens, windows and vectors are those of the network."""

    def __init__(self, encoder: EncoderReader, lexical: LexicalReader, blends: Sequence[Blend]) -> None:
        """`blends`: one for each rubric that is read, in their order."""
        self.encoder, self.lexical, self.blends = encoder, lexical, tuple(blends)

    @property
    def hidden(self) -> int:
        """Length of the vector of a text."""
        return self.encoder.hidden

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished."""
        found = self.encoder.read(texts, update=update, features=features)
        return replace(found, scores=self._blended(found.scores, self.lexical.read(texts).scores))

    def _blended(self, encoder_DR: FloatArray, words_DR: FloatArray) -> FloatArray:
        columns = [
            blend.encoder * encoder + blend.words * words + blend.offset
            for blend, encoder, words in zip(self.blends, encoder_DR.T, words_DR.T, strict=True)
        ]
        return np.stack(columns, axis=1)

    def windows(self, text: str) -> list[WindowScore]:
        """Return the windows of the network; each has the score of the text's words, which no window has alone."""
        words = float(self.lexical.read([text]).scores[0, 0])
        blend = self.blends[0]
        return [
            replace(each, score=blend.encoder * each.score + blend.words * words + blend.offset)
            for each in self.encoder.windows(text)
        ]

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return the vectors of the network."""
        return self.encoder.embed(texts, progress=progress)
