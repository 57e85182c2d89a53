"""The time that a model needs for one document."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.storage import only_known_fields

TEXTS = 24
"""Documents that are timed."""
REPEATS = 5
"""Times that each document is timed."""


@only_known_fields
@dataclass(frozen=True)
class Latency:
    """The times for single documents, one after the other, on the machine that measured."""

    median_ms: float
    p95_ms: float
    """95th percentile over all calls, in milliseconds."""
    texts: int
    repeats: int

    def in_words(self) -> str:
        """Return the times and how they were measured, for people."""
        return (
            f"median {self.median_ms:,.1f} ms, 95th percentile {self.p95_ms:,.1f} ms for a single document "
            f"({self.texts} documents from the shortest to the longest, {self.repeats} times each)"
        )


def latency_sample(texts: Sequence[str]) -> list[str]:
    """Return at most 24 texts, evenly spread from the shortest to the longest.

    The sample depends on the texts, not on their order, so that two models are timed on the same documents.
    """
    ordered = sorted(texts, key=lambda text: (len(text), text))
    places = np.unique(np.linspace(0, len(ordered) - 1, min(TEXTS, len(ordered))).round().astype(int))
    return [ordered[place] for place in places]


def measure_latency(score: Callable[[list[str]], Any], texts: Sequence[str], *, repeats: int = REPEATS) -> Latency:
    """Time `score` on each text alone. Raise InputError if there is no text."""
    if not texts:
        raise InputError("no document to measure the latency on")
    seconds = []
    for repeat in range(repeats + 1):
        for text in texts:
            started = time.perf_counter()
            score([text])
            if repeat:  # the first round warms caches and is not counted
                seconds.append(time.perf_counter() - started)
    median, high = np.quantile(np.array(seconds) * 1000, [0.5, 0.95])
    return Latency(float(median), float(high), len(texts), repeats)
