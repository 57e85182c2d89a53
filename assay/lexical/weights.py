"""The weights of a lexical model: TF-IDF over hashed columns, and a linear head."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.lexical.hashing import BITS, Features, hash_texts

FloatArray = NDArray[np.float64]
FILE = "lexical.safetensors"
FORMAT = "1"
"""Changed with the words, the hash or the weighting of terms: weights of another format would score noise."""
_LOGS = 1 + np.log(np.maximum(np.arange(1024), 1))


def terms_of(found: Features, idf: NDArray[np.float32]) -> FloatArray:
    """Return the term of each feature, shape (k,): (1 + ln count) * idf, divided by the length of its text's vector.

    That is `TfidfVectorizer(sublinear_tf=True)` of scikit-learn over hashed columns. Columns with idf 0 have term 0.
    """
    term = _LOGS[np.minimum(found.count, len(_LOGS) - 1)] * idf[found.column]
    # bincount adds in the order of its input: the terms of a text depend on no other text of the chunk.
    norm = np.sqrt(np.bincount(found.text, term * term, minlength=len(found.words)))
    return term / np.where(norm > 0, norm, 1.0)[found.text]


@dataclass(frozen=True)
class LexicalWeights:
    """Weights over 2^BITS columns, for one rubric or several."""

    idf: NDArray[np.float32]
    """Inverse document frequency, shape (2^BITS,). 0 for columns that fewer than two training documents have."""
    weight: NDArray[np.float32]
    """Weights, shape (rubrics, 2^BITS)."""
    intercept: NDArray[np.float64]
    """Score of a text without a known word, shape (rubrics,)."""

    def score(self, found: Features) -> FloatArray:
        """Return the scores of n texts by each rubric, shape (n, rubrics)."""
        term = terms_of(found, self.idf)
        sums = [np.bincount(found.text, term * row[found.column], minlength=len(found.words)) for row in self.weight]
        return np.stack(sums, axis=1) + self.intercept

    def read(self, texts: Sequence[str], words: int) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
        """Return scores of shape (n, rubrics), words of the whole texts and words read, both of shape (n,)."""
        scores, total, read = (np.zeros((len(texts), len(self.intercept))), *np.zeros((2, len(texts)), np.int64))
        for rows, found in hash_texts(texts, words):
            place = slice(rows.start, rows.stop)
            scores[place], total[place], read[place] = self.score(found), found.words, found.read
        return scores, total, read

    def save(self, folder: Path) -> None:
        """Write the weights into a folder being staged."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[Any]] = {"idf": self.idf, "weight": self.weight, "intercept": self.intercept}
        (folder / FILE).write_bytes(save(tensors, {"format": FORMAT}))

    @classmethod
    def load(cls, folder: Path, rubrics: int) -> "LexicalWeights":
        """Read what `save` wrote. Raise InputError if it is missing, damaged, or of other rubrics or another format."""
        from safetensors import SafetensorError, safe_open

        where, fix = str(folder / FILE), "Get the model again"
        try:
            with safe_open(where, framework="numpy") as file:
                found, tensors = (file.metadata() or {}).get("format"), {name: file.get_tensor(name) for name in _NAMES}
        except FileNotFoundError as error:
            raise InputError(f"no weights: {FILE} is missing", where=str(folder), fix=fix) from error
        except (OSError, SafetensorError) as error:
            raise InputError(f"the weights cannot be read: {error}", where=where, fix=fix) from error
        if found != FORMAT:
            raise InputError(
                f"weights of format {found}, this release reads {FORMAT}", where=where, fix="Train the model again"
            )
        columns = 1 << BITS
        shapes = {"idf": (columns,), "weight": (rubrics, columns), "intercept": (rubrics,)}
        odd = [name for name, shape in shapes.items() if tensors[name].shape != shape]
        if odd or not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            what = f"the shape of {odd[0]}" if odd else "a weight that is no number"
            raise InputError(f"the weights do not fit the model: {what}", where=where, fix=fix)
        return cls(**tensors)


_NAMES = ("idf", "weight", "intercept")
