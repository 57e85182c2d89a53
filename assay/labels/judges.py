"""Labels by several judges: bring the labels of each to the level of one of them.

Judges differ in level. Their labels are one set only when that is taken out. Documents by different judges may differ,
too, so that a difference of means is no difference of judges. What a document deserves is therefore read off its words,
by ridge regression on the labels of all judges, each document by a model that has not seen it; a line through the
labels of each judge over that gives the judge's level. What words say is not exact, so that slopes are too flat, for
all judges alike if their documents spread alike. On made labels of which one judge's were cut off at the end of the
scale a slope was off by 8 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError

FloatArray = NDArray[np.float64]
LEAST = 30
"""Least labels by a judge: with fewer, its level would be a guess."""
SURE = 4.0
"""Standard errors that a slope must lie above 0. Below, words say too little of the labels to compare slopes."""
ROUNDS = 5
"""Rounds of reading documents and levels in turn. On 800 made labels, half of them shifted by .7 and scaled by .8, a
sixth round moved the offset by .005 and the slope by .002."""
FOLDS = 5
PENALTY = 1.0
"""Penalty of the ridge regression: one of those of the baseline TF-IDF + ridge. Others were not tried."""


@dataclass(frozen=True)
class JudgeLevel:
    """Level of one judge: label = offset + slope * label on the level of the reference judge."""

    judge: str
    labels: int
    offset: float
    slope: float

    def in_words(self) -> str:
        """Return the level for people."""
        return f"{self.judge} ({self.labels:,} labels): {self.offset:+.2f} {self.slope:+.2f} * label"


def level_judges(
    texts: Sequence[str], labels: FloatArray, judges: Sequence[str], reference: str = ""
) -> tuple[FloatArray, list[JudgeLevel]]:
    """Return the labels of n documents, shape (n,), on the level of the reference judge, and the level of each judge.

    `reference`: by default the judge with the most labels, the first by name among equals. Labels of the reference stay
    as they are. Where the words say too little of the labels of a judge or of the reference, that judge gets an offset
    alone. Raise InputError for a reference without labels, and for a judge with fewer than 30.
    """
    label, names = np.asarray(labels, float), np.asarray(judges, dtype=object)
    counts = pd.Series(names).value_counts().sort_index()
    chosen = reference or str(counts.idxmax())
    if chosen not in counts.index:
        raise InputError(
            f"no label by the judge {chosen!r}", where="judges", fix=f"Name one of: {', '.join(map(str, counts.index))}"
        )
    if (few := counts[counts < LEAST]).any():
        raise InputError(
            f"{few.iloc[0]} labels by the judge {few.index[0]!r} are too few to find its level",
            where="judges",
            fix=f"Give at least {LEAST}, or leave them out",
        )
    known = {name: JudgeLevel(str(name), int(count), 0.0, 1.0) for name, count in counts.items()}
    if len(known) > 1:
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=300_000)
        table = words.fit_transform(texts)
        for _ in range(ROUNDS):
            read = _read(table, _levelled(label, names, known))
            level, slope = _line(read, label, names == chosen)
            for name, each in known.items():
                if name != chosen:
                    own, steepness = _line(read, label, names == name)
                    ratio = steepness / slope if slope and steepness else 1.0
                    mean = read[names == name].mean()
                    # At the mean of its documents, where its line is known best.
                    offset = own + steepness * mean - ratio * (level + slope * mean)
                    if not (slope and steepness):
                        offset = label[names == name].mean() - (level + slope * mean)
                    known[name] = JudgeLevel(each.judge, each.labels, float(offset), float(ratio))
    return _levelled(label, names, known), [known[name] for name in counts.index]


def _levelled(label: FloatArray, names: NDArray[np.object_], known: dict[str, JudgeLevel]) -> FloatArray:
    offset = np.array([known[name].offset for name in names])
    slope = np.array([known[name].slope for name in names])
    return np.asarray((label - offset) / slope)


def _read(table: NDArray[np.float64], label: FloatArray) -> FloatArray:
    """Return what the words of each document say of its label, by a model that has not seen it, shape (n,)."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    folds = KFold(FOLDS, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(Ridge(PENALTY, solver="sparse_cg"), table, label, cv=folds), float)


def _line(read: FloatArray, label: FloatArray, rows: NDArray[np.bool_]) -> tuple[float, float]:
    """Return intercept and slope of the labels of some rows; the slope 0, and the mean, if it is not surely above 0."""
    x, y = read[rows], label[rows]
    spread = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread if spread > 0 else 0.0
    rest = y - y.mean() - slope * (x - x.mean())
    error = np.sqrt((rest**2).sum() / (len(x) - 2) / spread) if spread > 0 else np.inf
    slope = slope if slope > SURE * error else 0.0
    return float(y.mean() - slope * x.mean()), float(slope)
