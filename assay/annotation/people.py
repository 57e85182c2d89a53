"""A judge beside people: its bias, its agreement, and the surface of texts that it rewards and people do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.errors import InputError
from assay.gates import surface_features
from assay.metrics import Interval, bootstrap_figures, rank_correlation, weighted_kappa
from assay.report import Block, Figure, Prose, Table, chart_intervals
from assay.storage import only_known_fields

FloatArray = NDArray[np.float64]
LEAST = 20
"""Least documents that people and the judge have both labelled."""


@only_known_fields
@dataclass(frozen=True)
class GradeBias:
    """The judge on documents to which people give one grade."""

    grade: int
    """Mean label of people, rounded, halves up."""
    documents: int
    bias: Interval
    """Mean of the judge's label minus that of people, in grades."""


@only_known_fields
@dataclass(frozen=True)
class Shortcut:
    """What a judge gives for one surface feature."""

    feature: str
    judge: Interval
    """Rank correlation of the judge's label and the feature, given people's label."""
    people: Interval | None
    """The same of one person, given the other people: what the noise of people and their own liking amount to. Mean
    over people; None for a single person."""


@only_known_fields
@dataclass(frozen=True)
class BesidePeople:
    """A judge compared with people on the same documents.

    Population: documents like those labelled by people. Intervals: percentile bootstrap over clusters; none below 50
    effective clusters. People's label is their mean. Its noise leaves a part of the quality in the correlations given
    it: a feature of good documents then looks like a shortcut. Compare it with that of people.
    """

    judge: str
    documents: int
    """Documents that people and the judge have both labelled."""
    bias: Interval
    """Mean of the judge's label minus that of people, in grades."""
    qwk: Interval
    """Quadratically weighted kappa of both labels as whole numbers, halves rounded up."""
    spearman: Interval
    by_grade: list[GradeBias]
    """By people's grade, rising: a judge that avoids the ends of the scale has bias of both signs."""
    shortcuts: list[Shortcut]
    """The strongest first."""

    def sentences(self) -> list[str]:
        """Return the figures as sentences for people."""
        found = [
            f"On {self.documents:,} documents that people labelled, {self.judge} is {self.bias.in_words()} grades off "
            f"their mean, with QWK {self.qwk.in_words()} and Spearman {self.spearman.in_words()}."
        ]
        # The interval of the judge must be away from what people show.
        beyond = [
            each.feature
            for each in self.shortcuts
            if each.judge.low is not None
            and each.judge.high is not None
            and max(each.judge.low, -each.judge.high) > abs((each.people.value or 0.0) if each.people else 0.0)
        ]
        if beyond:
            found.append(f"Given people's label it still goes by: {', '.join(beyond)}.")
        return found


def compare_with_people(
    texts: Sequence[str],
    judged: Sequence[float] | FloatArray,
    people: pd.DataFrame,
    *,
    judge: str = "the judge",
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> BesidePeople:
    """Compare the judge's labels of n documents with those of people, one column a person, NaN where one gave none.

    `clusters`: cluster of each document, shape (n,). Raise InputError below 20 documents with both labels.
    """
    label, table = np.asarray(judged, float), people.to_numpy(float)
    known = np.isfinite(label) & np.isfinite(table).any(axis=1)
    if known.sum() < LEAST:
        raise InputError(
            f"{known.sum()} documents have a label by {judge} and by people",
            where=f"people {', '.join(map(str, people.columns))}",
            fix=f"Give at least {LEAST}",
        )
    label, table = label[known], table[known]
    unit = np.arange(len(label)) if clusters is None else np.asarray(clusters)[known]
    theirs = np.nanmean(table, axis=1)
    whole, grade = np.floor(label + 0.5), np.floor(theirs + 0.5).astype(int)
    features = surface_features([text for text, use in zip(texts, known, strict=True) if use])
    rank = {"judge": _ranks(label), "people": _ranks(theirs)}
    of_feature = {name: _ranks(values.to_numpy(float)) for name, values in features.items()}
    persons = _persons(table)

    def figures(weight: FloatArray) -> dict[str, float]:
        total = weight.sum()
        found = {
            "bias": float(weight @ (label - theirs) / total),
            "qwk": float(weighted_kappa(whole, grade.astype(float), weight)),
            "spearman": float(rank_correlation(rank["judge"], rank["people"], weight)),
        }
        for value in np.unique(grade):
            inside = weight * (grade == value)
            found[f"grade {value}"] = float(inside @ (label - theirs) / inside.sum()) if inside.sum() else float("nan")
        for name, ranks in of_feature.items():
            found[f"judge {name}"] = _partial(rank["judge"], ranks, rank["people"], weight)
            each = [_partial(own, ranks[rows], others, weight[rows]) for rows, own, others in persons]
            if each:
                found[f"people {name}"] = float(np.mean(each))
        return found

    measured = bootstrap_figures(figures, unit, resamples=resamples, seed=seed)
    shortcuts = [Shortcut(name, measured[f"judge {name}"], measured.get(f"people {name}")) for name in of_feature]
    return BesidePeople(
        judge=judge,
        documents=len(label),
        bias=measured["bias"],
        qwk=measured["qwk"],
        spearman=measured["spearman"],
        by_grade=[
            GradeBias(int(value), int((grade == value).sum()), measured[f"grade {value}"]) for value in np.unique(grade)
        ],
        # A feature that no text has is undefined, and last.
        shortcuts=sorted(shortcuts, key=lambda each: -abs(each.judge.value or 0.0)),
    )


def people_blocks(found: BesidePeople) -> list[Block]:
    """Return the comparison as sentences, a table by grade, and a table and a chart of the shortcuts."""
    grades = [
        {"people's grade": each.grade, "documents": each.documents, "judge minus people": each.bias.in_words()}
        for each in found.by_grade
    ]
    rows = [
        {
            "feature": each.feature,
            "judge, given people": each.judge.in_words(),
            "a person, given the others": each.people.in_words() if each.people else "",
        }
        for each in found.shortcuts
    ]
    shown = [each for each in found.shortcuts if each.judge.value is not None]
    blocks: list[Block] = [
        Prose(" ".join(found.sentences())),
        Table(pd.DataFrame(grades), "How far the judge is off, by the grade that people give."),
        Table(
            pd.DataFrame(rows),
            "Rank correlation with the surface of the texts, given people's label. 0: the judge rewards it as people "
            "do.",
        ),
    ]
    if shown:
        chart = chart_intervals(
            [each.feature for each in shown],
            [float(each.judge.value or 0) for each in shown],
            [each.judge.low for each in shown],
            [each.judge.high for each in shown],
            x="rank correlation with the judge's label, given people's",
        )
        blocks.append(Figure(chart, f"What {found.judge} rewards and people do not."))
    return blocks


def _ranks(values: FloatArray) -> FloatArray:
    return np.asarray(rankdata(values, "dense"), float)


def _persons(table: FloatArray) -> list[tuple[NDArray[np.int64], FloatArray, FloatArray]]:
    """Return for each person the rows that others labelled, too, with dense ranks of its labels and of their mean."""
    found = []
    for person in range(table.shape[1]):
        others = np.delete(table, person, axis=1)
        rows = np.flatnonzero(np.isfinite(table[:, person]) & np.isfinite(others).any(axis=1))
        if len(rows) >= LEAST:
            found.append((rows, _ranks(table[rows, person]), _ranks(np.nanmean(others[rows], axis=1))))
    return found


def _partial(one: FloatArray, feature: FloatArray, given: FloatArray, weight: FloatArray) -> float:
    """Return the rank correlation of two columns given a third; nan if one of them does not vary."""
    ab, ac, bc = (float(rank_correlation(*pair, weight)) for pair in ((one, feature), (one, given), (feature, given)))
    rest = (1 - ac**2) * (1 - bc**2)
    # If the label determines the judge or the feature, nothing is left to correlate.
    return float((ab - ac * bc) / np.sqrt(rest)) if rest > 1e-9 else (0.0 if rest == rest else float("nan"))
