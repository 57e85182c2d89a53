"""Exact counts of documents and tokens in 2^16 bins of the score, made for each part and merged in any order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.storage import only_known_fields

BINS = 1 << 16
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Counts of the bins that are not empty: three arrays of shape (n,), bins in rising order."""

    bins: IntArray
    documents: IntArray
    tokens: IntArray

    @classmethod
    def sum(cls, parts: Iterable["Counts"]) -> "Counts":
        """Add up the counts of several parts."""
        # Integers, because their sum is the same in any order of the parts. That of floats is not.
        parts = list(parts)
        empty = np.zeros(0, np.int64)
        every = np.concatenate([empty, *(part.bins for part in parts)])
        bins, place = np.unique(every, return_inverse=True)
        documents, tokens = np.zeros(len(bins), np.int64), np.zeros(len(bins), np.int64)
        np.add.at(documents, place, np.concatenate([empty, *(part.documents for part in parts)]))
        np.add.at(tokens, place, np.concatenate([empty, *(part.tokens for part in parts)]))
        return cls(bins, documents, tokens)


@only_known_fields
@dataclass(frozen=True)
class Bins:
    """2^16 bins of equal width between two scores. Scores outside are counted in the first and the last bin.

    Any fixed bins in the order of the scores give the same selection: within the bin of a cut, the scores decide.
    """

    # Not float alone: pydantic would read the 5 of a plan as 5.0, which is other JSON, and so another key.
    low: int | float
    """Lower edge of the first bin."""
    high: int | float
    """Upper edge of the last bin."""

    @property
    def width(self) -> float:
        """Width of a bin, in scores."""
        return (self.high - self.low) / BINS

    def of(self, scores: NDArray[np.float64]) -> IntArray:
        """Return the bin of each score, in an array of the same shape. A higher score has no lower bin."""
        # Clipped before the division: a cut that every score reaches is the least float, which would overflow.
        inside = np.clip(scores, self.low, self.high)
        place = np.floor((inside - self.low) / (self.high - self.low) * BINS)
        return np.clip(place, 0, BINS - 1).astype(np.int64)


@dataclass(frozen=True)
class TokenHistogram:
    """Counts of each slice of a corpus, or of a part of it."""

    bins: Bins
    slices: Mapping[str, Counts]
    """Value of the column to slice by -> counts; one slice with an empty name without such a column."""

    @classmethod
    def of(
        cls, bins: Bins, scores: NDArray[np.float64], tokens: IntArray, slices: Sequence[str] | None = None
    ) -> "TokenHistogram":
        """Count n documents by their scores and tokens, shape (n,), and the slice of each, if there are several."""
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
        """Return the histogram of all parts together. Raise InputError if their bins differ, or without a part."""
        if len({part.bins for part in parts}) != 1:
            raise InputError("histograms of different bins, or none, cannot be merged", fix="Score with one plan")
        names = sorted({name for part in parts for name in part.slices})
        return cls(
            parts[0].bins,
            {name: Counts.sum(part.slices[name] for part in parts if name in part.slices) for name in names},
        )

    def total(self) -> Counts:
        """Return the counts of all slices together."""
        return Counts.sum(self.slices.values())

    def bin_of_budget(self, tokens: int) -> int | None:
        """Return the highest bin from which upward there are at least `tokens` tokens, or None if there are fewer."""
        return self._bin_of(self.total().tokens, tokens)

    def bin_of_documents(self, documents: int) -> int | None:
        """Return the highest bin from which upward there are at least `documents` documents, or None."""
        return self._bin_of(self.total().documents, documents)

    def _bin_of(self, counts: IntArray, least: int) -> int | None:
        reached = np.flatnonzero(np.cumsum(counts[::-1]) >= least)
        return int(self.total().bins[::-1][reached[0]]) if len(reached) else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the same for equal histograms."""
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
        """Read what `to_json` returned. Raise KeyError, TypeError or ValueError for anything else."""
        # Not by `parse_record`: the columns become arrays at once, without a check of each of their numbers.
        return cls(
            Bins(float(fields["low"]), float(fields["high"])),
            {
                name: Counts(*(np.array(column, np.int64) for column in columns))
                for name, columns in fields["slices"].items()
            },
        )
