"""The shortcut gate: do length, format, source or page kind explain the score more than they explain the labels?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.errors import InputError
from assay.gates.ranks import (
    FOLDS,
    FloatArray,
    cross_fitted,
    dummies,
    partial_correlation,
    r_squared,
    rank_correlations,
)
from assay.gates.surface import surface_features
from assay.gates.verdict import Verdict, decide
from assay.metrics import LEAST_CLUSTERS, Interval, bootstrap_figures
from assay.proportions import effective_clusters
from assay.storage import only_known_fields

NAME = "shortcuts"


@only_known_fields
@dataclass(frozen=True)
class ShortcutLimits:
    """The limits from which a score counts as explained by the surface of the texts.

    A model is refused if the whole 95 % interval of a figure is beyond its limit.
    """

    # No limit is 0: an honest score depends on the surface a little more than the label does, since it has less noise.
    # A score that is exactly the expected label, with correlation r to the label, has R² of the label / r²
    # (attenuation, Spearman 1904). For the labels of FineWeb-Edu (r = 0.6) this gives an excess of 0.2, and a partial
    # correlation with length of 0.4.
    excess: float = 0.3
    """Largest allowed R² of the score minus R² of the label, by all features and columns together, and by a column."""
    # A score of equal parts of TF-IDF + ridge and length has 0.58 to 0.87 on four sets; TF-IDF alone at most 0.45,
    # MiniLM 0.30.
    partial: float = 0.6
    """Largest allowed rank correlation of the score with one feature given the label, overall and in each slice."""
    beyond: float = 0.1
    """Smallest rank correlation of score and label given the part of the score that the surface explains."""

    def __post_init__(self) -> None:
        for name in ("excess", "partial", "beyond"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}", where="limits of shortcuts", fix="Give 0 to 1")


@dataclass(frozen=True)
class Association:
    """Correlations of one surface feature. Estimand: rank correlations (Spearman) in documents like these."""

    feature: str
    """Name of the feature."""
    slice: str
    """Documents that were measured: `all`, or column and value."""
    score: Interval
    """Rank correlation of score and feature."""
    label: Interval
    """Rank correlation of label and feature."""
    partial: Interval
    """Rank correlation of score and feature given the label: (r_sf - r_sl r_lf) / sqrt((1 - r_sl²)(1 - r_lf²))."""


@dataclass(frozen=True)
class Shortcuts:
    """The part of a score that the surface of the texts explains.

    Population: documents like those of the table. Method: percentile bootstrap over clusters; R² of ranks by a ridge
    of all features' ranks and their squares, with predictions from folds of whole clusters. The predictions are not
    refitted in the resamples. Below 50 clusters there are no intervals, and so no verdict.
    """

    documents: int
    """Number of documents."""
    clusters: int
    """Number of their effective clusters, rounded down."""
    associations: list[Association]
    """Correlations of every feature, overall and in each slice of 50 clusters or more."""
    explained: dict[str, Interval]
    """`score` and `label`: R² of each; `excess`: their difference, on the same documents; `beyond`: rank correlation
    of score and label given the surface's prediction of the score; `column …`: excess of one column alone."""

    def verdict(self, limits: ShortcutLimits = ShortcutLimits()) -> Verdict:
        """Refuse the model if the whole interval of a figure is beyond its limit. Below 50 clusters: no verdict."""
        figures: dict[str, Any] = {
            "documents": self.documents,
            "explained": [_row({"": name}, {"R²": value}) for name, value in self.explained.items()],
            "features": [
                _row(
                    {"feature": a.feature, "slice": a.slice},
                    {"score": a.score, "label": a.label, "given the label": a.partial},
                )
                for a in self.associations
            ],
        }
        if self.clusters < LEAST_CLUSTERS:
            counted = f"{self.documents} documents in {self.clusters} effective clusters"
            return decide(NAME, [], figures, too_little=f"{counted}; at least {LEAST_CLUSTERS} are needed.")
        return decide(NAME, self._refusals(limits), figures)

    def _refusals(self, limits: ShortcutLimits) -> list[str]:
        refusals = []
        for name, excess in self.explained.items():
            alone = name.startswith("column ")
            if (alone or name == "excess") and _above(excess, limits.excess):
                what = f"The {name} alone explains" if alone else "The surface of a text alone explains"
                score, label = self.explained["score"], self.explained["label"]
                shares = "" if alone else f" ({score.value:.2f} of the score, {label.value:.2f} of the label)"
                refusals.append(
                    f"{what} {excess.value:.2f} more of the score's variance than of the label's{shares}; "
                    f"at most {limits.excess:g} is allowed."
                )
        beyond = self.explained.get("beyond")
        if beyond is not None and beyond.high is not None and beyond.high < limits.beyond:
            refusals.append(
                f"Beyond the surface of a text the score knows nothing about the label: their correlation given the "
                f"surface is {beyond.value:.2f}; at least {limits.beyond:g} is required."
            )
        for a in self.associations:
            if _least_size(a.partial) > limits.partial:
                where = "" if a.slice == "all" else f" within {a.slice}"
                refusals.append(
                    f"Among documents of equal label{where} the score follows {a.feature} ({a.partial.value:+.2f}); "
                    f"at most {limits.partial:g} is allowed."
                )
        return refusals


def measure_shortcuts(
    predictions: pd.DataFrame,
    texts: Sequence[str],
    *,
    columns: Mapping[str, Sequence[object]] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Shortcuts:
    """Measure a Predictions table and the texts of its rows.

    `columns`: name -> source, page kind or the like of each document, shape (n,). A missing value is a kind of its own
    over all documents, and belongs to no slice. Raise InputError if texts or columns have another length.
    """
    for name, values in {"texts": texts, **(columns or {})}.items():
        if len(values) != len(predictions):
            raise InputError(f"{len(values)} values for {len(predictions)} documents", where=f"shortcut gate, {name}")
    table = pd.DataFrame({"score": predictions["score"].to_numpy(), "label": predictions["label"].to_numpy()})
    features = surface_features(texts)
    # A constant has no ranks to correlate.
    features = features.loc[:, features.nunique() > 1]
    clusters = predictions["cluster"].to_numpy()
    kinds = {name: pd.Series(list(values), dtype=object) for name, values in (columns or {}).items()}

    associations = _associations(table, features, clusters, "all", resamples, seed)
    for name, values in kinds.items():
        for value, rows in values.groupby(values, sort=True).groups.items():
            if effective_clusters(clusters[rows]) >= LEAST_CLUSTERS - 1e-6:
                part, some = table.loc[rows].reset_index(drop=True), features.loc[rows].reset_index(drop=True)
                associations += _associations(part, some, clusters[rows], f"{name}: {value}", resamples, seed)
    return Shortcuts(
        documents=len(table),
        clusters=int(effective_clusters(clusters) + 1e-6),
        associations=associations,
        explained=_explained(table, features, kinds, clusters, resamples, seed),
    )


def _associations(
    table: pd.DataFrame, features: pd.DataFrame, clusters: NDArray[np.int64], where: str, resamples: int, seed: int
) -> list[Association]:
    columns = np.stack([table["score"], table["label"], *(features[name] for name in features)]).astype(float)
    dense = np.stack([rankdata(column, "dense").astype(np.int64) - 1 for column in columns])

    def figures(weight: FloatArray) -> dict[str, float]:
        r = rank_correlations(dense, weight)
        found: dict[str, float] = {}
        for place, name in enumerate(features, start=2):
            found |= {f"score {name}": r[0, place], f"label {name}": r[1, place]}
            found[f"partial {name}"] = partial_correlation(r[0, place], r[0, 1], r[1, place])
        return found

    intervals = bootstrap_figures(figures, clusters, resamples=resamples, seed=seed)
    return [
        Association(name, where, *(intervals[f"{what} {name}"] for what in ("score", "label", "partial")))
        for name in features
    ]


def _explained(
    table: pd.DataFrame,
    features: pd.DataFrame,
    kinds: Mapping[str, pd.Series],
    clusters: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Return the intervals of `Shortcuts.explained`; empty if there is nothing to explain with."""
    score, label = (rankdata(table[name]) / len(table) for name in ("score", "label"))
    ranks = features.rank(pct=True).to_numpy() - 0.5
    kind_columns = {name: dummies(values) for name, values in kinds.items()}
    whole = np.hstack([ranks, ranks**2, *kind_columns.values()])  # squares: a score may favour a middle length
    if len(np.unique(clusters)) < FOLDS or not whole.shape[1]:
        return {}
    # Fitted once: a resample draws the documents on which the predictions are compared.
    by_surface = {name: cross_fitted(whole, y, clusters) for name, y in (("score", score), ("label", label))}
    alone = {
        name: tuple(cross_fitted(dummy, y, clusters) for y in (score, label)) for name, dummy in kind_columns.items()
    }
    dense = np.stack([rankdata(column, "dense").astype(np.int64) - 1 for column in (score, label, by_surface["score"])])

    def figures(weight: FloatArray) -> dict[str, float]:
        r = rank_correlations(dense, weight)
        of_score, of_label = (
            r_squared(y, by_surface[name], weight) for name, y in (("score", score), ("label", label))
        )
        # A negative R² of the label, which folds can give, must not count as an excess of the score.
        found = {"score": of_score, "label": of_label, "excess": of_score - max(of_label, 0.0)}
        found["beyond"] = partial_correlation(r[0, 1], r[0, 2], r[1, 2])
        for name, (mine, theirs) in alone.items():
            found[f"column {name}"] = r_squared(score, mine, weight) - max(r_squared(label, theirs, weight), 0.0)
        return found

    return bootstrap_figures(figures, clusters, resamples=resamples, seed=seed)


def _above(interval: Interval, limit: float) -> bool:
    return interval.low is not None and interval.low > limit


def _least_size(interval: Interval) -> float:
    """Return the absolute value of the end nearer to 0; 0 if the interval holds 0 or does not exist."""
    if interval.low is None or interval.high is None or interval.low <= 0 <= interval.high:
        return 0.0
    return min(abs(interval.low), abs(interval.high))


def _row(names: Mapping[str, str], intervals: Mapping[str, Interval]) -> dict[str, Any]:
    row: dict[str, Any] = dict(names)
    for name, interval in intervals.items():
        row |= {name: interval.value, f"{name}, low": interval.low, f"{name}, high": interval.high}
    return row
