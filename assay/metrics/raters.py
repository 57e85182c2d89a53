"""Agreement of raters, reliability of labels made of their ratings, and the model's correlation without the noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.errors import InputError
from assay.metrics.bootstrap import Interval, bootstrap_figures
from assay.metrics.enough import LEAST_CLUSTERS
from assay.metrics.metrics import rank_correlation, weighted_kappa
from assay.rubric import Rubric
from assay.storage import Snapshot, only_known_fields

FloatArray = NDArray[np.float64]
SHARED_BIAS = (
    "These figures do not cover an error that all raters share, such as a liking for long texts: they agree on it."
)


@only_known_fields
@dataclass(frozen=True)
class RaterPair:
    """Agreement of two raters on the documents that both rated."""

    one: str
    """Column of the one rater."""
    other: str
    """Column of the other rater."""
    documents: int
    """Number of documents that both rated."""
    qwk: Interval
    """Quadratically weighted kappa of the ratings as whole numbers, halves rounded up."""
    spearman: Interval
    """Rank correlation of the ratings."""


@only_known_fields
@dataclass(frozen=True)
class Raters:
    """The reliability of labels that are made of several ratings.

    Population: documents like those with two ratings or more. Method: percentile bootstrap over clusters, or over
    documents if there are no clusters. Reliability: ICC(1), the one-way random effects of Shrout and Fleiss (1979),
    with the mean number of ratings of an unbalanced design (Snedecor and Cochran 1967). Any rater may have rated any
    document, and a rater who is stricter than another counts as noise.
    """

    raters: list[str]
    """Columns of the raters."""
    documents: int
    """Number of documents with two ratings or more."""
    ratings: float
    """Harmonic mean of the number of ratings of these documents."""
    pairs: list[RaterPair]
    """Agreement of every pair of raters."""
    one: Interval
    """Reliability of one rating: ICC(1), the correlation of two ratings of a document."""
    mean: Interval
    """Reliability of the mean of a document's ratings: k r / (1 + (k - 1) r), with k = `ratings` and r = `one`
    (Spearman 1910, Brown 1910)."""
    ceiling: Interval
    """Square root of `mean`: the correlation of these labels with a perfect score, the mean of infinitely many ratings
    (attenuation, Spearman 1904)."""
    corrected: Interval | None = None
    """The model's Spearman with the label, divided by `ceiling`: an estimate of its correlation with labels without
    noise, if the label is the mean or median of these ratings. It can exceed 1 by chance."""

    def sentences(self) -> list[str]:
        """Return the figures as sentences for people, with what the figures do not cover."""
        sentences = [
            f"{self.documents:,} documents have two ratings or more, {self.ratings:.1f} on average. The reliability of "
            f"one rating is {self.one.in_words()}, of their mean {self.mean.in_words()}: no score can correlate with "
            f"such labels more than about {self.ceiling.in_words()}."
        ]
        if self.corrected is not None:
            sentences.append(
                f"With labels without noise the model's Spearman would be about {self.corrected.in_words()}, if the "
                "labels are the mean or median of these ratings."
            )
        return [*sentences, SHARED_BIAS]


def measure_raters(
    ratings: pd.DataFrame,
    *,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    scores: Sequence[float] | FloatArray | None = None,
    labels: Sequence[float] | FloatArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Raters:
    """Measure a table of ratings: one row per document, one column per rater (or answer), nan if there is no rating.

    `clusters`: cluster of each document, shape (n,). `scores` and `labels` of the same documents, shape (n,), give the
    corrected correlation. Raise InputError for fewer than two raters, below 50 documents with two ratings, and if all
    ratings are equal.
    """
    if ratings.shape[1] < 2:
        raise InputError("agreement needs two raters", where="raters", fix="Name two columns of ratings or more")
    table = ratings.to_numpy(float)
    # A single rating shows no agreement.
    enough = np.isfinite(table).sum(axis=1) >= 2
    if enough.sum() < LEAST_CLUSTERS:
        raise InputError(
            f"{enough.sum()} of {len(table)} documents have two ratings or more",
            where=f"raters {', '.join(map(str, ratings.columns))}",
            fix=f"Give at least {LEAST_CLUSTERS} such documents to measure the reliability of the labels",
        )
    units = np.arange(len(table)) if clusters is None else np.asarray(clusters)
    table, unit = table[enough], units[enough]
    if np.nanmin(table) == np.nanmax(table):
        raise InputError(f"all ratings are {np.nanmin(table):g}", where="raters", fix="Give ratings that differ")
    known = np.isfinite(table)
    count = known.sum(axis=1).astype(float)
    # Ranks once, over all documents: a resample changes weights alone.
    ranks = None
    if scores is not None and labels is not None:
        ranks = [rankdata(np.asarray(values, float)[enough], "dense") for values in (scores, labels)]

    def figures(weight: FloatArray) -> dict[str, float]:
        one, ratings_each = _icc(table, known, count, weight), weight.sum() / (weight / count).sum()
        # ICC(1) can be negative by chance; the mean of such ratings has no reliability, and its root is undefined.
        mean = ratings_each * one / (1 + (ratings_each - 1) * one) if one > 0 else float("nan")
        found = {"one": one, "mean": mean, "ceiling": float(np.sqrt(mean))}
        if ranks:
            found["corrected"] = float(rank_correlation(ranks[0], ranks[1], weight)) / found["ceiling"]
        return found

    intervals = bootstrap_figures(figures, unit, resamples=resamples, seed=seed)
    return Raters(
        raters=[str(name) for name in ratings.columns],
        documents=int(enough.sum()),
        ratings=float(len(count) / (1 / count).sum()),
        pairs=[
            _pair(str(ratings.columns[a]), str(ratings.columns[b]), table[:, a], table[:, b], unit, resamples, seed)
            for a, b in combinations(range(table.shape[1]), 2)
        ],
        **intervals,
    )


def read_ratings(snapshot: Snapshot, rows: Sequence[int], columns: Sequence[str], rubric: Rubric) -> pd.DataFrame:
    """Return the ratings of the documents at these rows, one column per rater; nan if there is no rating.

    Raise InputError for a value that is neither missing nor a number on the rubric's scale.
    """
    found = {}
    for column in columns:
        values = pd.Series(snapshot.take(rows, column), dtype=object)
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        # A code for "no answer", such as 99 or "none", must not count as a rating.
        wrong = (numbers.isna() & values.notna()) | ~(numbers.isna() | numbers.between(rubric.low, rubric.high))
        wrong &= ~values.map(lambda value: isinstance(value, float) and value != value)
        if wrong.any():
            raise InputError(
                f"{values[wrong].iloc[0]!r} is not a rating on the scale {rubric.low} to {rubric.high}",
                where=f"column {column!r}",
                fix="Leave the cell empty if a rater gave no rating",
            )
        found[column] = numbers
    return pd.DataFrame(found)


def _icc(table: FloatArray, known: NDArray[np.bool_], count: FloatArray, weight: FloatArray) -> float:
    """Return ICC(1) if document i counts weight[i] times; nan if nothing varies. `table` and `known`: (n, raters)."""
    sums = np.where(known, table, 0).sum(axis=1)
    means = sums / count
    within = (np.where(known, table - means[:, None], 0) ** 2).sum(axis=1)
    documents, total = weight.sum(), (weight * count).sum()
    grand = (weight * sums).sum() / total
    between = (weight * count * (means - grand) ** 2).sum() / (documents - 1)
    noise = (weight * within).sum() / (total - documents)
    # Mean number of ratings of an unbalanced design (Snedecor and Cochran 1967).
    each = (total - (weight * count**2).sum() / total) / (documents - 1)
    whole = between + (each - 1) * noise
    return float((between - noise) / whole) if whole > 1e-12 else float("nan")


def _pair(
    one: str, other: str, a: FloatArray, b: FloatArray, unit: NDArray[np.int64], resamples: int, seed: int
) -> RaterPair:
    both = np.isfinite(a) & np.isfinite(b)
    # Pairs of many raters may share no document.
    if both.sum() < 2:
        nothing = Interval(None, None, None, int(both.sum()))
        return RaterPair(one, other, int(both.sum()), nothing, nothing)
    a, b = a[both], b[both]
    grades = [np.floor(values + 0.5) for values in (a, b)]
    ranks = [rankdata(values, "dense") for values in (a, b)]

    def figures(weight: FloatArray) -> dict[str, float]:
        return {
            "qwk": float(weighted_kappa(grades[0], grades[1], weight)),
            "spearman": float(rank_correlation(ranks[0], ranks[1], weight)),
        }

    intervals = bootstrap_figures(figures, unit[both], resamples=resamples, seed=seed)
    return RaterPair(one, other, int(both.sum()), **intervals)
