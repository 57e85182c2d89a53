"""Agreement of judges: QWK, Krippendorff's alpha, test-retest, and the ceiling that their noise sets for a score."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.annotation.raters import require_answers
from assay.errors import InputError
from assay.metrics import Interval, bootstrap_figures
from assay.report import Block, Prose, Table
from assay.storage import only_known_fields

FloatArray = NDArray[np.float64]
SHARED = "An error that all judges share, such as a liking for long texts, is in none of these figures."


@only_known_fields
@dataclass(frozen=True)
class JudgePair:
    """Agreement of two judges on the documents that both answered."""

    one: str
    other: str
    documents: int
    """Documents that both answered."""
    qwk: Interval
    """Quadratically weighted kappa (Cohen 1968) of an answer of the one and an answer of the other."""


@only_known_fields
@dataclass(frozen=True)
class Retest:
    """Agreement of one judge with itself."""

    judge: str
    documents: int
    """Documents that it answered twice or more."""
    qwk: Interval
    """Quadratically weighted kappa of two of its answers to a document."""


@only_known_fields
@dataclass(frozen=True)
class Agreement:
    """Agreement of the answers to documents.

    Population: documents like those with two answers or more. Intervals: percentile bootstrap over clusters; none below
    50 effective clusters.
    """

    documents: int
    """Documents with two answers or more."""
    answers: float
    """Harmonic mean of the number of their answers."""
    alpha_interval: Interval
    """Krippendorff's alpha with squared differences of grades: the share r of the variance of one answer that is the
    document's. It takes any number of answers a document. Of the mean of k answers the share is
    R = k r / (1 + (k - 1) r) (Spearman 1910, Brown 1910), with k = `answers`."""
    alpha_ordinal: Interval
    """Krippendorff's alpha with differences of ranks, whatever the distances of grades."""
    pairs: list[JudgePair]
    retests: list[Retest]
    ceiling: Interval
    """Root of R: the largest correlation of a score with the mean of a document's answers (attenuation, Spearman 1904).
    It assumes that errors of answers are independent of each other, and of the score, given the document. For ranks it
    holds as far as they behave like grades. It is the largest QWK, too: of a score that spreads as the labels do."""
    ceiling_of_one: Interval
    """Root of r: the same for labels of one answer."""
    qwk_of_truth: Interval
    """2 R / (1 + R): QWK of labels without noise with these labels, where both have one mean."""

    def sentences(self) -> list[str]:
        """Return the figures as sentences for people."""
        return [
            f"{self.documents:,} documents have two answers or more, {self.answers:.1f} on average. Krippendorff's "
            f"alpha is {self.alpha_interval.in_words()} for distances of grades, and {self.alpha_ordinal.in_words()} "
            "for ranks.",
            f"No score can correlate with the mean of these answers more than about {self.ceiling.in_words()}, and "
            f"with one answer more than about {self.ceiling_of_one.in_words()}. Labels without noise would reach a QWK "
            f"of {self.qwk_of_truth.in_words()}.",
            SHARED,
        ]


def measure_agreement(
    answers: pd.DataFrame,
    low: int,
    high: int,
    *,
    clusters: Mapping[str, int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Measure the agreement of answers: `id`, `judge`, `repeat` and `grade`, NaN where there is no valid one.

    `clusters`: id -> cluster of near-duplicates; without them each document is one. Raise InputError as
    `combine_answers` does, if no document has two answers, and if all answers are equal.
    """
    known = require_answers(answers, low, high)
    count = known.groupby("id")["grade"].transform("size")
    if not (count >= 2).any():
        raise InputError("no document has two answers", where="answers", fix="Ask a second judge, or the same again")
    known = known[count >= 2]
    if known["grade"].nunique() < 2:
        raise InputError(f"all answers are {known['grade'].iloc[0]:g}", where="answers", fix="Give answers that differ")
    ids, document = np.unique(known["id"].to_numpy(str), return_inverse=True)
    values, grade = np.unique(known["grade"].to_numpy(float), return_inverse=True)
    names = sorted(known["judge"].unique())
    judge = pd.Categorical(known["judge"], names).codes
    counts = np.zeros((len(names), len(ids), len(values)))
    np.add.at(counts, (judge, document, grade), 1)
    every = counts.sum(axis=0)
    size = every.sum(axis=1)
    unit = np.arange(len(ids)) if clusters is None else np.array([clusters[name] for name in ids])

    def overall(weight: FloatArray) -> dict[str, float]:
        each = weight.sum() / (weight / size).sum()
        one = alpha(every, values, weight)
        mean = each * one / (1 + (each - 1) * one) if one > 0 else float("nan")
        return {
            "alpha_interval": one,
            "alpha_ordinal": alpha(every, None, weight),
            "ceiling": float(np.sqrt(mean)),
            "ceiling_of_one": float(np.sqrt(one)) if one > 0 else float("nan"),
            "qwk_of_truth": float(2 * mean / (1 + mean)),
        }

    pairs = [
        _pair(names[a], names[b], counts[a], counts[b], values, unit, resamples, seed)
        for a, b in combinations(range(len(names)), 2)
    ]
    retests = [_retest(name, counts[number], values, unit, resamples, seed) for number, name in enumerate(names)]
    return Agreement(
        documents=len(ids),
        answers=float(len(size) / (1 / size).sum()),
        pairs=pairs,
        retests=[found for found in retests if found.documents],
        **bootstrap_figures(overall, unit, resamples=resamples, seed=seed),
    )


def agreement_blocks(found: Agreement) -> list[Block]:
    """Return the agreement as sentences, a table of pairs of judges, and a table of judges with themselves."""
    rows = [
        {"": f"{pair.one}, {pair.other}", "documents": pair.documents, "QWK": pair.qwk.in_words()}
        for pair in found.pairs
    ]
    again = [{"": each.judge, "documents": each.documents, "QWK": each.qwk.in_words()} for each in found.retests]
    blocks: list[Block] = [Prose(" ".join(found.sentences()))]
    if rows:
        blocks.append(Table(pd.DataFrame(rows), "Two judges, on documents that both answered."))
    if again:
        blocks.append(Table(pd.DataFrame(again), "One judge asked twice."))
    return blocks


def alpha(counts: FloatArray, values: FloatArray | None, weight: FloatArray) -> float:
    """Return Krippendorff's alpha ("Computing Krippendorff's alpha-reliability", 2011); nan if nothing varies.

    `counts`: answers by document and grade, shape (n, k). `values`: the grades, shape (k,), for squared differences of
    them; None for differences of ranks. `weight`: how often each document counts, shape (n,).
    """
    size = counts.sum(axis=1)
    # An answer alone in its document has nothing to agree with.
    weight = np.where(size >= 2, weight, 0.0)
    total = weight @ counts
    number = total.sum()
    # The ordinal distance of two grades is that of their mid-ranks.
    at = np.cumsum(total) - total / 2 if values is None else values
    squares, sums = counts @ at**2, counts @ at
    observed = (weight * (size * squares - sums**2) / np.maximum(size - 1, 1)).sum() / number
    chance = (number * (total @ at**2) - (total @ at) ** 2) / (number * (number - 1))
    return float(1 - observed / chance) if chance > 1e-12 else float("nan")


def _pair(
    one: str,
    other: str,
    a: FloatArray,
    b: FloatArray,
    values: FloatArray,
    unit: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> JudgePair:
    both = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    if both.sum() < 2:
        return JudgePair(one, other, int(both.sum()), Interval(None, None, None, int(both.sum())))
    first, second = (_moments(counts[both], values) for counts in (a, b))
    # Of any answer of the one and any of the other.
    apart = first[1] + second[1] - 2 * first[0] * second[0]
    found = _kappa(apart, first, second, unit[both], resamples, seed)
    return JudgePair(one, other, int(both.sum()), found)


def _retest(
    judge: str, counts: FloatArray, values: FloatArray, unit: NDArray[np.int64], resamples: int, seed: int
) -> Retest:
    size = counts.sum(axis=1)
    twice = size >= 2
    if twice.sum() < 2:
        return Retest(judge, int(twice.sum()), Interval(None, None, None, int(twice.sum())))
    own = _moments(counts[twice], values)
    # Of two different answers: twice their unbiased variance.
    apart = 2 * (own[1] - own[0] ** 2) * size[twice] / (size[twice] - 1)
    return Retest(judge, int(twice.sum()), _kappa(apart, own, own, unit[twice], resamples, seed))


def _moments(counts: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of each document's answers and of their squares, shape (n,) each."""
    size = counts.sum(axis=1)
    return counts @ values / size, counts @ values**2 / size


def _kappa(
    apart: FloatArray,
    one: tuple[FloatArray, FloatArray],
    other: tuple[FloatArray, FloatArray],
    unit: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> Interval:
    """Return the weighted kappa from the mean squared difference `apart` of each document's answers, shape (n,)."""

    def figure(weight: FloatArray) -> dict[str, float]:
        share = weight / weight.sum()
        # As in `assay.metrics`: under independence E(a-b)^2 = var a + var b + (mean a - mean b)^2.
        chance = share @ one[1] + share @ other[1] - 2 * (share @ one[0]) * (share @ other[0])
        return {"qwk": float(1 - share @ apart / chance) if chance > 1e-12 else float("nan")}

    return bootstrap_figures(figure, unit, resamples=resamples, seed=seed)["qwk"]
