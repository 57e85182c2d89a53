"""Exact counts of documents and tokens in 2^16 bins of the score: made part by part, merged in any order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError

BINS = 1 << 16
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """What lies in the bins that hold anything; three arrays of one shape, bins in rising order."""

    bins: IntArray
    documents: IntArray
    tokens: IntArray

    @classmethod
    def sum(cls, parts: Iterable["Counts"]) -> "Counts":
        """Integers are added, so that no order of the parts changes anything."""
        parts = list(parts)
        empty = np.zeros(0, np.int64)
        every = np.concatenate([empty, *(part.bins for part in parts)])
        bins, place = np.unique(every, return_inverse=True)
        documents, tokens = np.zeros(len(bins), np.int64), np.zeros(len(bins), np.int64)
        np.add.at(documents, place, np.concatenate([empty, *(part.documents for part in parts)]))
        np.add.at(tokens, place, np.concatenate([empty, *(part.tokens for part in parts)]))
        return cls(bins, documents, tokens)


@dataclass(frozen=True)
class Bins:
    """2^16 bins of equal width between two scores; what lies outside goes to the first and the last.

    The bins only have to be fixed and in the order of the scores: within the bin of a cut, scores decide.
    """

    low: float
    high: float

    def of(self, scores: NDArray[np.float64]) -> IntArray:
        """Bin of every score, never falling where the score rises."""
        inside = np.clip(scores, self.low, self.high)  # a cut that everything reaches is the least float there is
        place = np.floor((inside - self.low) / (self.high - self.low) * BINS)
        return np.clip(place, 0, BINS - 1).astype(np.int64)


@dataclass(frozen=True)
class TokenHistogram:
    """Counts for every slice of a corpus, or of a part of one."""

    bins: Bins
    slices: Mapping[str, Counts]

    @classmethod
    def of(
        cls, bins: Bins, scores: NDArray[np.float64], tokens: IntArray, slices: Sequence[str] | None = None
    ) -> "TokenHistogram":
        """Of n documents: scores and tokens of shape (n,), and the slice of each, if there is more than one."""
        place, one = bins.of(scores), np.ones(len(scores), np.int64)
        names = np.asarray(slices if slices is not None else [""] * len(scores), dtype=object)
        return cls(
            bins,
            {
                str(name): Counts.sum([Counts(place[names == name], one[names == name], tokens[names == name])])
                for name in sorted(set(names.tolist()))
            },
        )

    @classmethod
    def merge(cls, parts: Sequence["TokenHistogram"]) -> "TokenHistogram":
        """The histogram of all parts together. Raises InputError where their bins differ."""
        if len({part.bins for part in parts}) != 1:
            raise InputError("histograms of different bins, or none, cannot be merged", fix="Score with one plan")
        names = sorted({name for part in parts for name in part.slices})
        return cls(
            parts[0].bins,
            {name: Counts.sum(part.slices[name] for part in parts if name in part.slices) for name in names},
        )

    def total(self) -> Counts:
        """All slices together."""
        return Counts.sum(self.slices.values())

    def bin_of_budget(self, tokens: int) -> int | None:
        """The bin in which the best `tokens` tokens end: those above it fit, with it they are at least so many.

        None where the whole corpus has fewer.
        """
        return self._bin_of(self.total().tokens, tokens)

    def bin_of_documents(self, documents: int) -> int | None:
        """The same for the best `documents` documents."""
        return self._bin_of(self.total().documents, documents)

    def _bin_of(self, counts: IntArray, least: int) -> int | None:
        reached = np.flatnonzero(np.cumsum(counts[::-1]) >= least)
        return int(self.total().bins[::-1][reached[0]]) if len(reached) else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the same for equal histograms."""
        return {
            "low": self.bins.low,
            "high": self.bins.high,
            "slices": {
                name: [counts.bins.tolist(), counts.documents.tolist(), counts.tokens.tolist()]
                for name, counts in sorted(self.slices.items())
            },
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "TokenHistogram":
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            Bins(float(fields["low"]), float(fields["high"])),
            {
                name: Counts(*(np.array(column, np.int64) for column in columns))
                for name, columns in fields["slices"].items()
            },
        )
