"""Whether length, format, source or page kind carry a model's score, more than they carry the labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.errors import InputError
from assay.gates.surface import surface_features
from assay.gates.verdict import Verdict, decide
from assay.metrics import LEAST_CLUSTERS, Interval, bootstrap_figures

FloatArray = NDArray[np.float64]
NAME = "shortcuts"
FOLDS = 5
ALPHAS = tuple(float(10.0**power) for power in range(-1, 5))
MOST_KINDS = 20
"""Values of a column that count apart; the rarer ones are one."""


@dataclass(frozen=True)
class ShortcutLimits:
    """From where on a score is said to come from the surface.

    A model is refused where a figure lies beyond its limit with its whole 95 % interval. An honest score depends
    on the surface a little more than the label does, since a score has less noise: one that is exactly the expected
    label, correlated r with the label, has R² of the label / r² (attenuation, Spearman 1904). So no limit is 0; for
    the labels of FineWeb-Edu (r = 0.6) this makes 0.2 of excess and 0.4 of partial correlation with length.
    """

    excess: float = 0.3
    """R² of the score minus R² of the label, by all surface features and columns together, and by each column."""
    partial: float = 0.6
    """Rank correlation of the score with one feature given the label, whichever its sign; overall and in each slice.
    A score made of equal parts of TF-IDF + ridge and length has 0.58 to 0.87 on four sets; TF-IDF alone at most
    0.45, MiniLM 0.30."""
    beyond: float = 0.1
    """Rank correlation of score and label given what the surface says of the score: what the model knows beyond it."""

    def __post_init__(self) -> None:
        for name in ("excess", "partial", "beyond"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}", where="limits of shortcuts", fix="Give 0 to 1")


@dataclass(frozen=True)
class Association:
    """One surface feature beside score and label. Estimand: rank correlations (Spearman) in documents like these."""

    feature: str
    slice: str
    """`all`, or column and value."""
    score: Interval
    """Rank correlation of score and feature."""
    label: Interval
    """Rank correlation of label and feature."""
    partial: Interval
    """Of score and feature given the label: (r_sf - r_sl r_lf) / sqrt((1 - r_sl²)(1 - r_lf²)) of the ranks."""


@dataclass(frozen=True)
class Shortcuts:
    """How much of a score the surface explains.

    Population: documents like those of the table. Method: percentile bootstrap over clusters; R² of ranks by a ridge
    of all features' ranks and their squares, whose predictions are those of folds that hold whole clusters and
    stay as they are while resampling. Without 50 clusters there are no intervals, and so no verdict.
    """

    documents: int
    clusters: int
    associations: list[Association]
    explained: dict[str, Interval]
    """`score` and `label`: R² of each; `excess`: their difference, on the same documents; `beyond`: rank correlation
    of score and label given what the surface says of the score; `column …`: excess of one column alone."""

    def verdict(self, limits: ShortcutLimits = ShortcutLimits()) -> Verdict:
        """Refused where a figure and its whole interval lie beyond a limit."""
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
            few = f"{self.documents} documents in {self.clusters} clusters; at least {LEAST_CLUSTERS} are needed."
            return decide(NAME, [], figures, too_little=few)
        return decide(NAME, self._refusals(limits), figures)

    def _refusals(self, limits: ShortcutLimits) -> list[str]:
        said = []
        for name, excess in self.explained.items():
            alone = name.startswith("column ")
            if (alone or name == "excess") and _above(excess, limits.excess):
                what = f"The {name} alone explains" if alone else "The surface of a text alone explains"
                score, label = self.explained["score"], self.explained["label"]
                shares = "" if alone else f" ({score.value:.2f} of the score, {label.value:.2f} of the label)"
                said.append(
                    f"{what} {excess.value:.2f} more of the score's variance than of the label's{shares}; "
                    f"at most {limits.excess:g} is allowed."
                )
        beyond = self.explained.get("beyond")
        if beyond is not None and beyond.high is not None and beyond.high < limits.beyond:
            said.append(
                f"Beyond the surface of a text the score knows nothing of the label: their correlation given what the "
                f"surface says is {beyond.value:.2f}; at least {limits.beyond:g} is wanted."
            )
        for a in self.associations:
            if _least_size(a.partial) > limits.partial:
                where = "" if a.slice == "all" else f" within {a.slice}"
                said.append(
                    f"Among documents of equal label{where} the score follows {a.feature} ({a.partial.value:+.2f}); "
                    f"at most {limits.partial:g} is allowed."
                )
        return said


def measure_shortcuts(
    predictions: pd.DataFrame,
    texts: Sequence[str],
    *,
    columns: Mapping[str, Sequence[object]] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Shortcuts:
    """Of a Predictions table and its texts, row by row.

    `columns`: name -> source, page kind or the like of each document; missing values are a kind of their own in the
    whole, and belong to no slice. Raises InputError for columns of another length.
    """
    for name, values in {"texts": texts, **(columns or {})}.items():
        if len(values) != len(predictions):
            raise InputError(f"{len(values)} values for {len(predictions)} documents", where=f"shortcuts, {name}")
    table = pd.DataFrame({"score": predictions["score"].to_numpy(), "label": predictions["label"].to_numpy()})
    features = surface_features(texts)
    features = features.loc[:, features.nunique() > 1]
    clusters = predictions["cluster"].to_numpy()
    kinds = {name: pd.Series(list(values), dtype=object) for name, values in (columns or {}).items()}

    associations = _associations(table, features, clusters, "all", resamples, seed)
    for name, values in kinds.items():
        for value, rows in values.groupby(values, sort=True).groups.items():
            if len(np.unique(clusters[rows])) >= LEAST_CLUSTERS:
                part, some = table.loc[rows].reset_index(drop=True), features.loc[rows].reset_index(drop=True)
                associations += _associations(part, some, clusters[rows], f"{name}: {value}", resamples, seed)
    return Shortcuts(
        documents=len(table),
        clusters=len(np.unique(clusters)),
        associations=associations,
        explained=_explained(table, features, kinds, clusters, resamples, seed),
    )


def _associations(
    table: pd.DataFrame, features: pd.DataFrame, clusters: NDArray[np.int64], where: str, resamples: int, seed: int
) -> list[Association]:
    columns = np.stack([table["score"], table["label"], *(features[name] for name in features)]).astype(float)
    dense = np.stack([rankdata(column, "dense").astype(np.int64) - 1 for column in columns])

    def figures(weight: FloatArray) -> dict[str, float]:
        r = _correlations(dense, weight)
        found: dict[str, float] = {}
        for place, name in enumerate(features, start=2):
            found |= {f"score {name}": r[0, place], f"label {name}": r[1, place]}
            found[f"partial {name}"] = _partial(r[0, place], r[0, 1], r[1, place])
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
    """Predictions of folds are made once; what is drawn anew are the documents on which they are compared."""
    score, label = (rankdata(table[name]) / len(table) for name in ("score", "label"))
    ranks = features.rank(pct=True).to_numpy() - 0.5
    dummies = {name: _dummies(values) for name, values in kinds.items()}
    whole = np.hstack([ranks, ranks**2, *dummies.values()])  # squares: a score may favour a middle length
    if len(np.unique(clusters)) < FOLDS or not whole.shape[1]:
        return {}
    by_surface = {name: _cross_fitted(whole, y, clusters) for name, y in (("score", score), ("label", label))}
    alone = {name: tuple(_cross_fitted(dummy, y, clusters) for y in (score, label)) for name, dummy in dummies.items()}
    dense = np.stack([rankdata(column, "dense").astype(np.int64) - 1 for column in (score, label, by_surface["score"])])

    def figures(weight: FloatArray) -> dict[str, float]:
        r = _correlations(dense, weight)
        of_score, of_label = (_r2(y, by_surface[name], weight) for name, y in (("score", score), ("label", label)))
        found = {"score": of_score, "label": of_label, "excess": of_score - max(of_label, 0.0)}
        found["beyond"] = _partial(r[0, 1], r[0, 2], r[1, 2])
        for name, (mine, theirs) in alone.items():
            found[f"column {name}"] = _r2(score, mine, weight) - max(_r2(label, theirs, weight), 0.0)
        return found

    return bootstrap_figures(figures, clusters, resamples=resamples, seed=seed)


def _dummies(values: pd.Series) -> FloatArray:
    names = values.fillna("").astype(str)
    common = names.value_counts().index[:MOST_KINDS]
    return pd.get_dummies(names.where(names.isin(common), "other")).to_numpy(float)


def _cross_fitted(x: FloatArray, y: FloatArray, clusters: NDArray[np.int64]) -> FloatArray:
    """What a ridge says of each document that has not seen its cluster, shape (n,)."""
    ridge = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    return np.asarray(cross_val_predict(ridge, x, y, groups=clusters, cv=GroupKFold(FOLDS)), float)


def _correlations(dense: NDArray[np.int64], weight: FloatArray) -> FloatArray:
    """Rank correlations of k columns of dense ranks, shape (k, k), where documents count `weight` times."""
    ranks = np.empty(dense.shape)
    for row, column in enumerate(dense):
        counts = np.bincount(column, weight)
        ranks[row] = (np.cumsum(counts) - counts / 2)[column]
    ranks -= (ranks @ weight)[:, None] / weight.sum()
    covariance = (ranks * weight) @ ranks.T
    spread = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread[:, None] * spread[None, :] > 1e-9, covariance / np.outer(spread, spread), np.nan)


def _partial(ab: float, ac: float, bc: float) -> float:
    """Correlation of a and b given c."""
    rest = (1 - ac**2) * (1 - bc**2)
    return float((ab - ac * bc) / np.sqrt(rest)) if rest > 1e-9 else float("nan")


def _r2(y: FloatArray, predicted: FloatArray, weight: FloatArray) -> float:
    mean = (weight * y).sum() / weight.sum()
    total = (weight * (y - mean) ** 2).sum()
    return float(1 - (weight * (y - predicted) ** 2).sum() / total) if total > 1e-12 else float("nan")


def _above(interval: Interval, limit: float) -> bool:
    return interval.low is not None and interval.low > limit


def _least_size(interval: Interval) -> float:
    """The end of an interval that is nearer to 0; 0 where it holds 0 or there is none."""
    if interval.low is None or interval.high is None or interval.low <= 0 <= interval.high:
        return 0.0
    return min(abs(interval.low), abs(interval.high))


def _row(names: Mapping[str, str], intervals: Mapping[str, Interval]) -> dict[str, Any]:
    row: dict[str, Any] = dict(names)
    for name, interval in intervals.items():
        row |= {name: interval.value, f"{name}, low": interval.low, f"{name}, high": interval.high}
    return row
