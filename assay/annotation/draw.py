"""Which documents to label: each is drawn with a known probability, larger where a label would say more.

Estimates with weights 1 / inclusion hold for the corpus, whatever the probabilities aim at (Horvitz and Thompson, "A
generalization of sampling without replacement from a finite universe", 1952).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.metrics import INCLUSION

FloatArray = NDArray[np.float64]
STRATA = ("source", "language", "length")
"""Columns that make strata, as far as a table has them."""
LENGTHS = 4
"""Strata of the length, of about equal numbers of documents."""
SCORES = 10
"""Bins of the score, of equal width, that get equal numbers of documents."""
GROUPS = 20
"""Groups of the scores, of equal numbers of documents, from each of which about as many are drawn as expected."""
HIGHEST = 0.995
"""The widest bin ends where this share of the scores is reached: a single score far above would make the others one
bin."""


@dataclass(frozen=True)
class DrawConfig:
    """How many documents are drawn, and what their probabilities aim at."""

    documents: int = 1000
    """Documents to draw."""
    uniform: float = 0.5
    """Share of the probability that all documents get alike. No document stands for more than 1 / uniform times what it
    would stand for in a random sample, so that no estimate rests on a few of them."""
    # With .25, estimates were no better (benchmarks/RESULTS.md), and the weights differ twice as much.
    strata: float = 0.5
    """Weight of small strata: the probability falls with the root of the number of documents in a stratum of source,
    language and length (power allocation, Bankier 1988)."""
    rare: float = 2.0
    """Weight of rare scores: each tenth of the range of the model's scores gets as many documents."""
    unsure: float = 0.5
    """Weight of documents whose label the model does not know: the standard deviation of p_keep as a coin."""
    new: float = 0.5
    """Weight of documents that are unlike the labelled ones."""
    seed: int = 0
    """Seed of the draw."""

    def __post_init__(self) -> None:
        if self.documents < 1:
            raise InputError(f"{self.documents} documents to draw", where="draw", fix="Give 1 or more")
        if not 0 < self.uniform <= 1:
            raise InputError(
                f"uniform is {self.uniform:g}", where="draw", fix="Give a share above 0, so that all can be drawn"
            )
        for name in ("strata", "rare", "unsure", "new"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} is {getattr(self, name):g}", where="draw", fix="Give 0 or more")


def inclusion_of(candidates: pd.DataFrame, config: DrawConfig) -> FloatArray:
    """Return the probability of each of n documents, shape (n,). Their sum is the number to draw, or n if that is less.

    `candidates`: `id` and, as far as they are known, `source`, `language`, `length` in characters, `score`, `p_keep`
    and `distance` from the labelled documents, 0 to 1. Raise InputError for a value that is missing.
    """
    aims = [(weight, aim) for weight, aim in _aims(candidates, config) if weight > 0]
    size = np.ones(len(candidates))
    if aims:
        aimed = sum(weight * aim / aim.mean() for weight, aim in aims) / sum(weight for weight, _ in aims)
        size = config.uniform + (1 - config.uniform) * aimed
    return _proportional(size, config.documents)


def draw_documents(candidates: pd.DataFrame, config: DrawConfig) -> pd.DataFrame:
    """Return the drawn rows of `candidates`, with their `inclusion` and `stratum`, ordered at random.

    Systematic sampling with unequal probabilities from a list ordered by stratum and twentieth of the scores (Madow
    1949): exactly as many documents as requested, each with its probability, and from each part of the list about as
    many as expected.
    The same seed draws the same documents whatever the order of the rows. Raise InputError as `inclusion_of` does, and
    for ids that occur twice.
    """
    if candidates.empty:
        raise InputError("no document to draw from", where="draw", fix="Give documents that have no label yet")
    if candidates["id"].duplicated().any():
        first = candidates.loc[candidates["id"].duplicated(), "id"].iloc[0]
        raise InputError(f"the id {first!r} occurs twice", where="draw", fix="Remove duplicates first")
    table = candidates.sort_values("id", ignore_index=True)
    rng = np.random.default_rng([config.seed, len(table)])
    stratum = strata_of(table)
    table = table.assign(**{INCLUSION: inclusion_of(table, config), "stratum": stratum})
    # Within a group the order is random: in a list of a fixed order the start alone would decide, and the error of an
    # estimate would hang on how that order repeats.
    score = table["score"].rank(pct=True).to_numpy() if "score" in table else np.zeros(len(table))
    order = np.lexsort([rng.random(len(table)), np.ceil(score * GROUPS), stratum])
    reached = np.cumsum(table[INCLUSION].to_numpy()[order])
    # The sum is a whole number up to rounding. A last point beyond it would draw nothing.
    points = np.arange(round(reached[-1])) + rng.random()
    chosen = order[np.searchsorted(reached, np.minimum(points, np.nextafter(reached[-1], 0)), side="right")]
    return table.loc[rng.permutation(chosen)].reset_index(drop=True)


def strata_of(table: pd.DataFrame) -> NDArray[np.str_]:
    """Return the name of each document's stratum, shape (n,): source, language and quarter of the lengths."""
    names = []
    for column in STRATA:
        if column not in table:
            continue
        if column == "length":
            place = table["length"].rank(method="average", pct=True).to_numpy()
            names.append(np.minimum((place * LENGTHS).astype(int), LENGTHS - 1).astype(str))
        else:
            names.append(table[column].fillna("").astype(str).to_numpy(str))
    return np.array([" / ".join(parts) for parts in zip(*names, strict=True)] if names else [""] * len(table), str)


def _aims(table: pd.DataFrame, config: DrawConfig) -> list[tuple[float, FloatArray]]:
    """Return the weight of each aim, and what it gives to each document."""
    for column in ("length", "score", "p_keep", "distance"):
        if column in table and not np.isfinite(table[column].to_numpy(float)).all():
            raise InputError(f"a value of {column!r} is missing", where="draw", fix="Give it for all documents")
    found: list[tuple[float, FloatArray]] = []
    strata = strata_of(table)
    if len(np.unique(strata)) > 1:
        found.append((config.strata, 1 / np.sqrt(_frequency(strata))))
    if "score" in table:
        score = table["score"].to_numpy(float)
        top = np.quantile(score, HIGHEST)
        width = max((top - score.min()) / SCORES, 1e-12)
        found.append((config.rare, 1 / _frequency(np.minimum((score - score.min()) // width, SCORES - 1))))
    if "p_keep" in table:
        likely = np.clip(table["p_keep"].to_numpy(float), 1e-3, 1 - 1e-3)
        found.append((config.unsure, np.sqrt(likely * (1 - likely))))
    if "distance" in table:
        found.append((config.new, np.clip(table["distance"].to_numpy(float), 1e-3, 1)))
    return found


def _frequency(values: NDArray[np.generic]) -> FloatArray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(count[place], float)


def _proportional(size: FloatArray, documents: int) -> FloatArray:
    """Return probabilities proportional to `size`, at most 1, with the sum `documents`."""
    if documents >= len(size):
        return np.ones(len(size))
    sure = np.zeros(len(size), bool)
    while True:
        share = (documents - sure.sum()) * size / size[~sure].sum()
        more = (share >= 1) & ~sure
        if not more.any():
            return np.where(sure, 1.0, share)
        sure |= more
