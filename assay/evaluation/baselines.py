"""The baselines of a model: majority, length, TF-IDF + ridge and, for an encoder, the encoder without training."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.errors import InputError
from assay.inference import Scorer
from assay.labels import SplitSet, assign_folds, fitting_part, part_of
from assay.metrics import BaselinePredictions
from assay.model import AS_LABELLED, Calibration, KeepTarget, ModelInfo, QualityModel, load_model, new_model
from assay.rubric import Rubric
from assay.storage import Snapshot
from assay.training import TrainConfig

FloatArray = NDArray[np.float64]
Embed = Callable[[Sequence[str]], np.ndarray]

ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Penalties of TF-IDF + ridge, chosen by five folds of the training part."""
ENCODER_ALPHAS = tuple(float(10.0**power) for power in range(-1, 6))
"""Penalties of frozen encoder + ridge, chosen by leave-one-out on the training part."""

BASELINE_NAMES = {
    "encoder_alone": "encoder of the hybrid alone",
    "encoder_ridge": "frozen encoder + ridge",
    "tfidf_ridge": "TF-IDF + ridge",
    "length": "document length",
    "majority": "majority",
}
"""Name -> name for people, the strongest first."""


def baseline_scores(
    train: Sequence[str], labels: NDArray[np.float64], others: Sequence[str], embed: Embed | None
) -> dict[str, FloatArray]:
    """Return the scores of the texts `others` by each baseline, shape (others,), fitted on the training part.

    `majority` gives every document the mean label: calibrated, that is the larger class. `length` is a line through the
    logarithm of the number of characters. `embed` returns features of a frozen encoder, shape (texts, hidden); without
    it, there is no `encoder_ridge`.
    """
    # On small sets this is stronger than a fine-tuned MiniLM, since it reads whole documents (benchmarks/RESULTS.md).
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=300_000)
    words = vectorizer.fit_transform(train)
    tfidf = GridSearchCV(Ridge(solver="sparse_cg"), {"alpha": ALPHAS}, scoring="neg_mean_squared_error", cv=5)
    line = np.polynomial.Polynomial.fit(_log_length(train), labels, deg=1)
    scores = {
        "majority": np.full(len(others), float(labels.mean())),
        "length": line(_log_length(others)),
        "tfidf_ridge": np.asarray(tfidf.fit(words, labels).predict(vectorizer.transform(others)), float),
    }
    if embed:
        frozen = make_pipeline(StandardScaler(), RidgeCV(ENCODER_ALPHAS))
        scores["encoder_ridge"] = np.asarray(frozen.fit(embed(train), labels).predict(embed(others)), float)
    return scores


def _log_length(texts: Sequence[str]) -> FloatArray:
    return np.log1p([len(text) for text in texts])


def evaluate_baselines(
    snapshot: Snapshot,
    documents: pd.DataFrame,
    assignment: pd.DataFrame,
    rubric: Rubric,
    config: TrainConfig,
    *,
    keep: KeepTarget = AS_LABELLED,
) -> pd.DataFrame:
    """Return BaselinePredictions for the test part, fitted and calibrated on the same documents as the model.

    A baseline that cannot reach the target `keep` keeps as many documents as have a label that reaches the threshold.
    """
    # A cross-fitted model learns from the calibration part too, so its baselines must.
    train = fitting_part(documents, assignment, cross_fitted=config.folds > 0)
    calibration, test = (part_of(documents, assignment, name) for name in ("calibration", "test"))
    embed = _frozen(config, rubric) if config.kind != "lexical" else None
    texts, tested = snapshot.take(train["row"]), snapshot.take(test["row"])
    labels = train["label"].to_numpy()
    if config.folds:
        # As for the model: with folds the calibration documents are scored by models that did not train on them.
        held_out: dict[str, FloatArray] = {}
        # The same seed as the training: model and baselines have equal folds.
        fold = assign_folds(labels, train["cluster"].to_numpy(), rubric.threshold, config.folds, config.seed)
        for number in range(config.folds):
            inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            fitting, others = ([texts[row] for row in rows] for rows in (outside, inside))
            for name, score in baseline_scores(fitting, labels[outside], others, embed).items():
                held_out.setdefault(name, np.zeros(len(train)))[inside] = score
        scores, known = baseline_scores(texts, labels, tested, embed), train
    else:
        # Both parts in one call: the baselines are fitted once.
        both = baseline_scores(texts, labels, [*snapshot.take(calibration["row"]), *tested], embed)
        held_out = {name: score[: len(calibration)] for name, score in both.items()}
        scores, known = {n: s[len(calibration) :] for n, s in both.items()}, calibration
    tables = []
    for name, score in scores.items():
        fitted = _calibration(held_out[name], known, rubric, keep, cross_fitted=config.folds > 0)
        meaning = fitted.apply(score)
        tables.append(
            test[["id", "cluster", "label"]].assign(
                baseline=name,
                score=score,
                calibrated=meaning.calibrated,
                p_keep=meaning.p_keep,
                grade=meaning.grade,
                keep=meaning.keep,
            )
        )
    columns = list(BaselinePredictions.to_schema().columns)
    return BaselinePredictions.validate(pd.concat(tables, ignore_index=True)[columns])


def encoder_alone(folder: Path, of: SplitSet) -> pd.DataFrame:
    """Return BaselinePredictions of a hybrid's encoder for the test part: what plain transformers give of the model.

    Its scores mean what those of the whole model mean, by the same calibration. Raise InputError for a rubric that the
    model does not have.
    """
    model = load_model(folder)
    assert isinstance(model, QualityModel)
    info = model.info
    alone = replace(model, words=None, info=replace(info, kind="encoder", words=0, blend=()))
    test = part_of(of.documents, of.assignment, "test")
    scored = Scorer(alone, rubric=of.rubric.name).score(of.snapshot.take(test["row"]))
    columns = ["score", "calibrated", "p_keep", "grade", "keep"]
    table = test[["id", "cluster", "label"]].assign(baseline="encoder_alone", **{c: scored[c] for c in columns})
    return BaselinePredictions.validate(table[list(BaselinePredictions.to_schema().columns)])


def _frozen(config: TrainConfig, rubric: Rubric) -> Embed:
    """Return a function that gives the features of texts by the encoder before its first update.

    Its windows are those of the model: the gain over it is the gain of training.
    """
    frozen = Scorer(new_model(ModelInfo(config.encoder, rubric, config.windows), seed=config.seed))
    features: dict[str, np.ndarray] = {}

    def embed(texts: Sequence[str]) -> np.ndarray:
        # Each fold needs the features of the same texts: the encoder runs over a text once.
        new = [text for text in dict.fromkeys(texts) if text not in features]
        if new:
            features.update(zip(new, frozen.embed(new, progress="frozen encoder"), strict=True))
        return np.stack([features[text] for text in texts])

    return embed


def _calibration(
    scores: NDArray[np.float64], known: pd.DataFrame, rubric: Rubric, keep: KeepTarget, *, cross_fitted: bool
) -> Calibration:
    def fit(target: KeepTarget) -> Calibration:
        return Calibration.fit(
            scores,
            known["label"].to_numpy(),
            low=rubric.low,
            high=rubric.high,
            threshold=rubric.threshold,
            keep=target,
            clusters=known["cluster"].to_numpy(),
            cross_fitted=cross_fitted,
        )

    plain = fit(AS_LABELLED)
    try:
        return plain if keep == AS_LABELLED else fit(keep)
    except InputError:  # a weak baseline may not reach the target: that must not fail the run
        return plain
