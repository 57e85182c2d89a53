"""How far raters agree, and what their disagreement hides of a model's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.errors import InputError
from assay.metrics.bootstrap import LEAST_CLUSTERS, Interval, bootstrap_figures
from assay.metrics.metrics import rank_correlation, weighted_kappa
from assay.rubric import Rubric
from assay.storage import Snapshot

FloatArray = NDArray[np.float64]
SHARED_BIAS = (
    "What all raters get wrong alike, such as a liking for long texts, is not in it: they would agree on that too."
)


@dataclass(frozen=True)
class RaterPair:
    """Two raters on the documents that both rated."""

    one: str
    other: str
    documents: int
    qwk: Interval
    """Of their ratings as whole numbers, halves rounded up."""
    spearman: Interval


@dataclass(frozen=True)
class Raters:
    """How reliable labels are that are made of several ratings.

    Population: documents like those with two ratings or more. Method: percentile bootstrap over clusters, or over
    documents where none are given; refused below 50 documents. Reliability: ICC(1), the one-way random effects of
    Shrout and Fleiss (1979), with the mean number of ratings of an unbalanced design (Snedecor and Cochran 1967): any
    rater may have rated any document, and one who is stricter than another counts as noise.
    """

    raters: list[str]
    documents: int
    """With two ratings or more."""
    ratings: float
    """Harmonic mean of how many ratings each of these has."""
    pairs: list[RaterPair]
    one: Interval
    """Reliability of one rating: ICC(1), the correlation of two ratings of a document."""
    mean: Interval
    """Of the mean of a document's ratings: k r / (1 + (k - 1) r), k being `ratings` (Spearman 1910, Brown 1910)."""
    ceiling: Interval
    """The square root of `mean`: what a score that is exactly the mean of endless ratings would correlate with labels
    that are the mean of these (attenuation, Spearman 1904)."""
    corrected: Interval | None = None
    """The model's Spearman with the label divided by `ceiling`: an estimate of its correlation with labels without
    noise, where the label is the mean or median of these ratings. Chance can put it above 1."""

    def sentences(self) -> list[str]:
        """For people, with what is not in the figures."""
        said = [
            f"{self.documents:,} documents have two ratings or more, {self.ratings:.1f} on average. The reliability of "
            f"one rating is {_words(self.one)}, of their mean {_words(self.mean)}: no score can correlate with such "
            f"labels more than about {_words(self.ceiling)}."
        ]
        if self.corrected is not None:
            said.append(
                f"Were the labels without noise, the model's Spearman would be about {_words(self.corrected)}, if they "
                "are the mean or median of these ratings."
            )
        return [*said, SHARED_BIAS]

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Raters":
        """The inverse of `dataclasses.asdict`; raises TypeError or KeyError where it is something else."""
        intervals = {name: Interval(**given[name]) for name in ("one", "mean", "ceiling")}
        corrected = Interval(**given["corrected"]) if given.get("corrected") else None
        pairs = [
            RaterPair(**{**pair, **{name: Interval(**pair[name]) for name in ("qwk", "spearman")}})
            for pair in given["pairs"]
        ]
        return cls(**{**given, **intervals, "corrected": corrected, "pairs": pairs})


def measure_raters(
    ratings: pd.DataFrame,
    *,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    scores: Sequence[float] | FloatArray | None = None,
    labels: Sequence[float] | FloatArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Raters:
    """Of a table of ratings: one row a document, one column a rater (or answer), missing where it gave none.

    `scores` and `labels` of the same documents, shape (n,), give the corrected correlation. Raises InputError below 50
    documents with two ratings, for fewer than two raters, and for ratings that never differ.
    """
    if ratings.shape[1] < 2:
        raise InputError("one rater cannot agree", where="raters", fix="Name two columns of ratings or more")
    table = ratings.to_numpy(float)
    enough = np.isfinite(table).sum(axis=1) >= 2
    if enough.sum() < LEAST_CLUSTERS:
        raise InputError(
            f"{enough.sum()} of {len(table)} documents have two ratings or more",
            where=f"raters {', '.join(map(str, ratings.columns))}",
            fix=f"At least {LEAST_CLUSTERS} are needed to say how far the labels can be trusted",
        )
    units = np.arange(len(table)) if clusters is None else np.asarray(clusters)
    table, unit = table[enough], units[enough]
    if np.nanmin(table) == np.nanmax(table):
        raise InputError(f"all ratings are {np.nanmin(table):g}", where="raters", fix="Give ratings that differ")
    known = np.isfinite(table)
    count = known.sum(axis=1).astype(float)
    ranks = None
    if scores is not None and labels is not None:
        ranks = [rankdata(np.asarray(values, float)[enough], "dense") for values in (scores, labels)]

    def figures(weight: FloatArray) -> dict[str, float]:
        one, ratings_each = _icc(table, known, count, weight), weight.sum() / (weight / count).sum()
        mean = ratings_each * one / (1 + (ratings_each - 1) * one) if one > 0 else float("nan")
        found = {"one": one, "mean": mean, "ceiling": float(np.sqrt(mean))}
        if ranks:
            found["corrected"] = rank_correlation(ranks[0], ranks[1], weight) / found["ceiling"]
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
    """Ratings of the documents at these rows, a column a rater.

    Raises InputError for a value that is neither missing nor a number of the rubric's scale: a code for "no answer"
    would otherwise pass for an opinion.
    """
    found = {}
    for column in columns:
        values = pd.Series(snapshot.take(rows, column), dtype=object)
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        wrong = (numbers.isna() & values.notna()) | ~(numbers.isna() | numbers.between(rubric.low, rubric.high))
        wrong &= ~values.map(lambda value: isinstance(value, float) and value != value)
        if wrong.any():
            raise InputError(
                f"{values[wrong].iloc[0]!r} is no rating on the scale {rubric.low} to {rubric.high}",
                where=f"column {column!r}",
                fix="Leave empty what a rater did not answer",
            )
        found[column] = numbers
    return pd.DataFrame(found)


def _icc(table: FloatArray, known: NDArray[np.bool_], count: FloatArray, weight: FloatArray) -> float:
    """ICC(1) where document i counts weight[i] times; nan where nothing varies."""
    sums = np.where(known, table, 0).sum(axis=1)
    means = sums / count
    within = (np.where(known, table - means[:, None], 0) ** 2).sum(axis=1)
    documents, total = weight.sum(), (weight * count).sum()
    grand = (weight * sums).sum() / total
    between = (weight * count * (means - grand) ** 2).sum() / (documents - 1)
    noise = (weight * within).sum() / (total - documents)
    each = (total - (weight * count**2).sum() / total) / (documents - 1)
    whole = between + (each - 1) * noise
    return float((between - noise) / whole) if whole > 1e-12 else float("nan")


def _pair(
    one: str, other: str, a: FloatArray, b: FloatArray, unit: NDArray[np.int64], resamples: int, seed: int
) -> RaterPair:
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        nothing = Interval(None, None, None, int(both.sum()))
        return RaterPair(one, other, int(both.sum()), nothing, nothing)
    a, b = a[both], b[both]
    grades = [np.floor(values + 0.5) for values in (a, b)]
    ranks = [rankdata(values, "dense") for values in (a, b)]

    def figures(weight: FloatArray) -> dict[str, float]:
        return {
            "qwk": weighted_kappa(grades[0], grades[1], weight),
            "spearman": rank_correlation(ranks[0], ranks[1], weight),
        }

    intervals = bootstrap_figures(figures, unit[both], resamples=resamples, seed=seed)
    return RaterPair(one, other, int(both.sum()), **intervals)


def _words(interval: Interval) -> str:
    if interval.value is None:
        return "unknown"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
