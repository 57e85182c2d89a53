"""The figures of a cheap model on a random split of the rows, compared with a grouped split of the same sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.metrics import Interval, Resampled
from assay.model import Calibration
from assay.rubric import Rubric

IntArray = NDArray[np.int64]
COMPARED = ("f1", "qwk", "spearman")
"""Metrics that are compared."""
ALPHA = 0.3
"""Penalty of the cheap model's ridge."""
# In the middle of what five folds choose for the baseline of the same kind.


@dataclass(frozen=True)
class SplitComparison:
    """Figures of the cheap model on a random split of the rows and on a grouped split of the same sizes.

    Estimand: figures of this kind of model on rows drawn as those of the two test parts. Method: TF-IDF + ridge,
    calibrated as the model is; percentile bootstrap over the clusters of each test part, drawn independently for the
    difference. No intervals below 50 clusters in either test part. The intervals do not cover the variance over draws
    of the split.
    """

    train: int
    """Rows of the train part of each split; a text counts as often as the source has it."""
    test: int
    """Rows of the test part of each split, counted alike."""
    random: dict[str, Interval]
    """Metric -> figure on the random split."""
    grouped: dict[str, Interval]
    """Metric -> figure on the grouped split."""
    difference: dict[str, Interval]
    """Metric -> random minus grouped."""
    random_seen: float
    """Share of the random split's test rows with the same text or a near-duplicate in its train part."""
    cheap: pd.DataFrame
    """Predictions of the cheap model on the documents of the grouped test part."""


def compare_splits(
    ids: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[float] | NDArray[np.float64],
    parts: Sequence[str],
    clusters: Sequence[int] | IntArray,
    rubric: Rubric,
    *,
    copies: Sequence[int] | IntArray | None = None,
    seed: int = 0,
) -> SplitComparison:
    """Train the cheap model on the grouped and on a random split of documents with distinct texts.

    Grouped: `parts` without the documents that share a cluster with a test document. Random: parts of the same sizes,
    drawn by row. `copies`: how often the source has each text, shape (n,); by default once. Raise InputError if a
    calibration part is too small or has only one class.
    """
    part, cluster, label = np.asarray(parts), np.asarray(clusters), np.asarray(labels, float)
    # Without this, a split that leaks would count as a grouped one.
    leaked = (part != "test") & np.isin(cluster, cluster[part == "test"])
    placed = np.flatnonzero(np.isin(part, ["train", "calibration", "test"]) & ~leaked)
    # One vocabulary of all texts for both splits: it uses no label, and the splits then differ in their rows alone.
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=300_000)
    words = vectorizer.fit_transform(texts)

    times = np.ones(len(part), np.int64) if copies is None else np.asarray(copies, np.int64)
    grouped_row = np.repeat(placed, times[placed])
    sizes = {name: int((part[grouped_row] == name).sum()) for name in ("train", "calibration", "test")}
    shuffled = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(part)), times))
    first, second = sizes["train"], sizes["train"] + sizes["calibration"]
    random_rows = shuffled[:first], shuffled[first:second], shuffled[second : second + sizes["test"]]
    grouped_rows = tuple(grouped_row[part[grouped_row] == name] for name in ("train", "calibration", "test"))

    tables = [_predict(words, label, cluster, rows, rubric) for rows in (random_rows, grouped_rows)]
    # Different seeds: the two test parts are different rows, so their resamples must be independent.
    random, grouped = (Resampled.of(table, rubric, seed=seed + turn) for turn, table in enumerate(tables))
    # Copies of a text have the same prediction; the model's own predictions have one row per document.
    cheap = tables[1].drop_duplicates("document")
    cheap = cheap.assign(id=np.asarray(ids, dtype=object)[cheap["document"]])
    return SplitComparison(
        train=sizes["train"],
        test=sizes["test"],
        random={name: interval for name, interval in random.intervals().items() if name in COMPARED},
        grouped={name: interval for name, interval in grouped.intervals().items() if name in COMPARED},
        difference={name: _difference(random, grouped, name) for name in COMPARED},
        random_seen=float(np.isin(cluster[random_rows[2]], cluster[random_rows[0]]).mean()),
        cheap=cheap.drop(columns="document").reset_index(drop=True),
    )


def _predict(
    words: csr_matrix,
    label: NDArray[np.float64],
    cluster: IntArray,
    rows: Sequence[IntArray],
    rubric: Rubric,
) -> pd.DataFrame:
    """Return Predictions of the cheap model on the test rows. `rows`: train, calibration and test, with repeats."""
    train, calibration, test = rows
    ridge = Ridge(ALPHA, solver="sparse_cg").fit(words[train], label[train])
    here, there = (np.asarray(ridge.predict(words[which]), float) for which in (calibration, test))
    meaning = Calibration.fit(
        here, label[calibration], low=rubric.low, high=rubric.high, threshold=rubric.threshold
    ).apply(there)
    return pd.DataFrame(
        {
            "id": [f"{document} {place}" for place, document in enumerate(test)],
            "document": test,
            "cluster": cluster[test],
            "label": label[test],
            "score": there,
            "calibrated": meaning.calibrated,
            "p_keep": meaning.p_keep,
            "grade": meaning.grade,
            "keep": meaning.keep,
        }
    )


def _difference(random: Resampled, grouped: Resampled, name: str) -> Interval:
    value = random.values[name] - grouped.values[name]
    ends = {which: of.intervals()[name] for which, of in (("random", random), ("grouped", grouped))}
    if any(interval.low is None for interval in ends.values()) or not np.isfinite(value):
        return Interval(float(value) if np.isfinite(value) else None, None, None)
    drawn = random.drawn[name] - grouped.drawn[name]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high), len(grouped.predictions))
