"""What a model has to beat: three that hardly read, and the encoder without its training."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FloatArray = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of TF-IDF + ridge; the best of five folds of the training part."""
ENCODER_ALPHAS = tuple(float(10.0**power) for power in range(-1, 6))
"""Of frozen encoder + ridge; leave-one-out on the training part."""

BASELINE_NAMES = {
    "encoder_ridge": "frozen encoder + ridge",
    "tfidf_ridge": "TF-IDF + ridge",
    "length": "document length",
    "majority": "majority",
}
"""What people call them, the strongest first."""


def baseline_scores(
    train: Sequence[str], labels: NDArray[np.float64], others: Sequence[str], embed: Embed
) -> dict[str, FloatArray]:
    """Scores of the texts `others` by each baseline, fitted on texts and labels of the training part.

    `majority` gives every document the mean label: calibrated, that is the larger class. `length` is a line
    through the logarithm of the characters. `embed` gives a frozen encoder's features, shape (texts, hidden).
    """
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=300_000)
    words = vectorizer.fit_transform(train)
    tfidf = GridSearchCV(Ridge(solver="sparse_cg"), {"alpha": ALPHAS}, scoring="neg_mean_squared_error", cv=5)
    frozen = make_pipeline(StandardScaler(), RidgeCV(ENCODER_ALPHAS))
    line = np.polynomial.Polynomial.fit(_log_length(train), labels, deg=1)
    return {
        "majority": np.full(len(others), float(labels.mean())),
        "length": line(_log_length(others)),
        "tfidf_ridge": np.asarray(tfidf.fit(words, labels).predict(vectorizer.transform(others)), float),
        "encoder_ridge": np.asarray(frozen.fit(embed(train), labels).predict(embed(others)), float),
    }


def _log_length(texts: Sequence[str]) -> FloatArray:
    return np.log1p([len(text) for text in texts])
