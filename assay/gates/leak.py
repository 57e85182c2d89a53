"""Whether test documents fitted the model, and what a split of the rows at random would have pretended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.dedup import near_duplicate_clusters, text_digest
from assay.errors import InputError
from assay.gates.verdict import Verdict, decide
from assay.metrics import METRICS, Difference, Interval, Resampled, paired_bootstrap
from assay.model import Calibration
from assay.rubric import Rubric

IntArray = NDArray[np.int64]
NAME = "leak"
SHOWN = ("f1", "qwk", "spearman")
ALPHA = 0.3
"""Of the cheap model's ridge, in the middle of what five folds choose for the baseline of the same kind."""


@dataclass(frozen=True)
class LeakLimits:
    """From where on a figure is said to come from a leak."""

    leaked: float = 0.0
    """Share of the test documents whose text, as it is or nearly, is in the parts that fitted the model."""
    matters: float = 0.05
    """By how much, in F1, QWK or Spearman, a random split has to flatter the cheap model for a model's own figures to
    be suspected. Below it a good model and a leaked one cannot be told apart by their figures."""
    explained: float = 0.5
    """Share of what the random split adds to the cheap model by which a model may be ahead of it on the grouped split;
    refused where the gain's whole 95 % interval is above. A model that has learnt the test documents by heart gains
    all of it, less what chance takes. One so far ahead may be that good: a person can say so, and raise this limit."""

    def __post_init__(self) -> None:
        if not 0 <= self.leaked <= 1 or self.matters <= 0 or self.explained <= 0:
            raise InputError(
                f"leaked {self.leaked:g}, matters {self.matters:g}, explained {self.explained:g}",
                where="limits of the leak gate",
                fix="Give a share, and two figures above 0",
            )


@dataclass(frozen=True)
class Straddling:
    """Test documents that the fitted parts hold too. A census of the texts themselves, whatever the split believed."""

    test: int
    exact: list[str]
    """Ids of test documents whose normalised text is in train or calibration."""
    near: list[str]
    """Those, and test documents in a cluster of near-duplicates with one of train or calibration."""
    clusters: IntArray
    """Cluster of every document looked at."""

    @property
    def share(self) -> float:
        """Of the test documents, those in `near`."""
        return len(self.near) / self.test if self.test else 0.0


@dataclass(frozen=True)
class SplitComparison:
    """The cheap model on a random split of the rows, beside the same on a grouped one of the same sizes.

    Estimand: figures of this kind of model on rows drawn as the tests' are. Method: TF-IDF + ridge, calibrated as
    the model is; percentile bootstrap over the clusters of each test, drawn independently for the difference.
    Without 50 clusters in both tests there are no intervals. What another draw of the split gives is not in them.
    """

    train: int
    test: int
    """Rows of each split; copies of a text count as often as the source has them."""
    random: dict[str, Interval]
    grouped: dict[str, Interval]
    difference: dict[str, Interval]
    """Random minus grouped."""
    random_seen: float
    """Share of the random split's test rows with the same text or a near-duplicate in its train part."""
    cheap: pd.DataFrame
    """Predictions of the cheap model on the documents of the grouped test."""


def find_straddling(
    ids: Sequence[str], texts: Sequence[str], parts: Sequence[str], *, progress: bool = False
) -> Straddling:
    """Compare the texts of the test part with those of train and calibration; other parts are looked past."""
    part = np.asarray(parts)
    test, fitted = part == "test", np.isin(part, ["train", "calibration"])
    clusters = len(part) + np.arange(len(part))  # documents of no part are nobody's near-duplicates here
    placed = test | fitted
    clusters[placed] = near_duplicate_clusters(
        [text for text, is_placed in zip(texts, placed, strict=True) if is_placed], progress=progress
    )
    digests = pd.Series([text_digest(text) for text in texts])
    exact = test & digests.isin(digests[fitted]).to_numpy()
    near = exact | (test & np.isin(clusters, clusters[fitted]))
    names = np.asarray(ids, dtype=object)
    return Straddling(int(test.sum()), names[exact].tolist(), names[near].tolist(), clusters)


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
    """Train the cheap model twice on documents with distinct texts and their parts.

    Grouped: the parts as they are, but without what shares a cluster with a test document, so that a split that
    leaks does not pass for a grouped one. Random: parts of the same sizes, drawn by row. The vocabulary and its
    weights, which see no label, are those of all texts, for both. Raises InputError where a calibration part is too
    small or has one class only.
    """
    part, cluster, label = np.asarray(parts), np.asarray(clusters), np.asarray(labels, float)
    leaked = (part != "test") & np.isin(cluster, cluster[part == "test"])
    placed = np.flatnonzero(np.isin(part, ["train", "calibration", "test"]) & ~leaked)
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
    random, grouped = (Resampled.of(table, rubric, seed=seed + turn) for turn, table in enumerate(tables))
    cheap = tables[1].drop_duplicates("document")
    cheap = cheap.assign(id=np.asarray(ids, dtype=object)[cheap["document"]])
    return SplitComparison(
        train=sizes["train"],
        test=sizes["test"],
        random={name: interval for name, interval in random.intervals().items() if name in SHOWN},
        grouped={name: interval for name, interval in grouped.intervals().items() if name in SHOWN},
        difference={name: _difference(random, grouped, name) for name in SHOWN},
        random_seen=float(np.isin(cluster[random_rows[2]], cluster[random_rows[0]]).mean()),
        cheap=cheap.drop(columns="document").reset_index(drop=True),
    )


def leak_verdict(
    straddling: Straddling,
    comparison: SplitComparison | None,
    predictions: pd.DataFrame | None = None,
    rubric: Rubric | None = None,
    limits: LeakLimits = LeakLimits(),
) -> Verdict:
    """Refused for test documents that fitted the model, and for figures that only a leak is known to give.

    `predictions`: of the model, on the documents of the comparison's grouped test. Without a comparison, or without
    intervals in it, the first question alone is answered.
    """
    figures: dict[str, Any] = {
        "test documents": straddling.test,
        "whose text fitted the model": len(straddling.exact),
        "or a near-duplicate": len(straddling.near),
        "ids of these": straddling.near[:20],
    }
    said = []
    if straddling.share > limits.leaked:
        said.append(
            f"{len(straddling.near)} of {straddling.test} test documents ({straddling.share:.1%}) are, as they are or "
            f"nearly, among those that fitted the model; at most {limits.leaked:.1%} may be."
        )
    if comparison is not None:
        gains = {}
        if predictions is not None and rubric is not None:
            cheap = comparison.cheap.drop(columns=["cluster", "label"]).merge(
                predictions[["id", "cluster", "label"]], on="id", validate="one_to_one"
            )
            gains = paired_bootstrap(predictions, cheap, rubric)
        figures |= {"random split": f"{comparison.random_seen:.1%} of its test rows in training"}
        figures["splits"] = [_row(comparison, gains, name) for name in SHOWN]
        said += [sentence for name in SHOWN if (sentence := _suspicion(comparison, gains, name, limits))]
    return decide(NAME, said, figures)


def _suspicion(comparison: SplitComparison, gains: dict[str, Difference], name: str, limits: LeakLimits) -> str:
    added, gain = comparison.difference[name], gains.get(name)
    if gain is None or gain.low is None or added.value is None or added.low is None:
        return ""
    if added.low <= 0 or added.value < limits.matters or gain.low <= limits.explained * added.value:
        return ""
    return (
        f"Its {METRICS[name].title} is {gain.value:+.3f} ahead of the cheap model's on the grouped split; a leak adds "
        f"{added.value:+.3f} to that: it may have been trained on the test documents."
    )


def _predict(
    words: csr_matrix,
    label: NDArray[np.float64],
    cluster: IntArray,
    rows: Sequence[IntArray],
    rubric: Rubric,
) -> pd.DataFrame:
    """Predictions of the cheap model on the last of three lists of documents, one row for each time it is listed."""
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


def _row(comparison: SplitComparison, gains: dict[str, Difference], name: str) -> dict[str, Any]:
    added, gain = comparison.difference[name], gains.get(name)
    return {
        "": METRICS[name].title,
        "random": comparison.random[name].value,
        "grouped": comparison.grouped[name].value,
        "random adds": added.value,
        "low": added.low,
        "high": added.high,
        "the model is ahead by": None if gain is None else gain.value,
    }
