"""What documents that come in runs of one kind, such as site by site, are worth in independent documents."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

FloatArray = NDArray[np.float64]
PIECES = 9_600
"""Pieces of the sequence of documents at most; pieces are joined in pairs when there are more."""
BLOCKS = (48, 24, 12)
"""Numbers of blocks that are tried, the shortest blocks first."""
LEAST_OF_A_BLOCK = 4
"""Documents in a block at least."""
SIGMAS = 2.0
"""Lag-1 correlation of neighbouring blocks, in its standard errors, from which they are not independent."""


class Arrivals:
    """The documents of a window in the order in which they came, as sums over short pieces.

    Documents of one request, client, site or hour mostly come after each other. So blocks of consecutive documents
    hold whole runs of them, whatever made the runs, and the log needs no column that names it. Documents of one site
    that are spread evenly over the window are not found.
    """

    def __init__(self, languages: Iterable[str] = ()) -> None:
        self._languages = [*languages]
        self._sums: list[FloatArray] = []
        self._squares: FloatArray | None = None
        self._open: FloatArray | None = None
        self._size, self._in_open = 1, 0
        self.documents = 0

    def add(self, table: pd.DataFrame) -> None:
        """Add documents with the columns PROFILED, in their order. Rows with a `reason` are left out."""
        scored = table[table["reason"].isna()] if "reason" in table else table
        if scored.empty:
            return
        features = np.stack(
            [
                scored["score"].to_numpy(float),
                np.log2(scored["tokens"].to_numpy(float) + 1),
                scored["keep"].astype(bool).to_numpy(float),
                (scored["read"].to_numpy(float) < 1).astype(float),
                *((scored["language"].fillna("") == code).to_numpy(float) for code in self._languages),
            ],
            axis=1,
        )
        self.documents += len(features)
        squares = (features**2).sum(axis=0)
        self._squares = squares if self._squares is None else self._squares + squares
        start = 0
        while start < len(features):
            stop = min(start + self._size - self._in_open, len(features))
            part = features[start:stop].sum(axis=0) if stop - start > 1 else features[start]
            self._open = part if self._open is None else self._open + part
            self._in_open += stop - start
            start = stop
            if self._in_open == self._size:
                self._sums.append(self._open)
                self._open, self._in_open = None, 0
            if len(self._sums) == PIECES:
                self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
                self._size *= 2

    def worth(self, level: float) -> float:
        """Return the independent documents that these are worth for a test at this level; 0 if their runs are too long.

        Of each feature (score, length, kept, truncated, languages) the variance of the means of consecutive blocks is
        compared with that of as many independent documents (batch means: Law and Kelton, "Simulation Modeling and
        Analysis", chapter 9). The blocks are the shortest whose neighbours do not correlate. As the variance is
        estimated from few blocks, a quantile of Student's distribution at the level of the test replaces that of the
        normal one.
        """
        if self.documents == 0 or self._squares is None:
            return 0.0
        # The last, incomplete piece is left out of the blocks.
        sums = np.array(self._sums)
        largest = 1.0
        whole = sums.sum(axis=0) / max(len(sums) * self._size, 1)
        every = self._squares / self.documents - whole**2
        for place, variance in enumerate(every):
            if variance <= 1e-12:
                continue
            effect = _effect(sums[:, place], self._size, float(variance), level)
            if effect is None:
                return 0.0
            largest = max(largest, effect)
        return self.documents / largest


def _effect(sums: FloatArray, size: int, variance: float, level: float) -> float | None:
    """Return the factor by which runs, and the few blocks, enlarge the squared distances of one feature."""
    for blocks in BLOCKS:
        if len(sums) < blocks or len(sums) * size < blocks * LEAST_OF_A_BLOCK:
            continue
        each = len(sums) // blocks
        means = sums[: each * blocks].reshape(blocks, each).sum(axis=1) / (each * size)
        centred = means - means.mean()
        spread = float((centred**2).sum())
        if spread <= 0:
            return 1.0
        if float((centred[1:] * centred[:-1]).sum()) / spread > SIGMAS / math.sqrt(blocks):
            continue  # a run reaches into the next block
        effect = spread / (blocks - 1) * each * size / variance
        price = float(student.isf(level / 2, blocks - 1) / norm.isf(level / 2)) ** 2
        return max(effect, 1.0) * price
    return None
