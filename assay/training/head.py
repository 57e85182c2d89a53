"""Fit the output layer of a pretrained network alone: ridge regression on what it reads, solved in one step."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import ModelInfo, QualityModel, new_model, output_layer
from assay.training.fitted import Fitted, in_one_step

FloatArray = NDArray[np.float64]

ALPHAS = tuple(float(10.0**power) for power in range(-2, 6))
"""Penalties, of which leave-one-out chooses one."""
LEAST = 20
"""Least texts with a label."""


def fit_head(
    texts: Sequence[str], labels: FloatArray, info: ModelInfo, *, weights: FloatArray | None = None, seed: int = 0
) -> Fitted[QualityModel]:
    """Fit the output layer to labels of shape (n,), or (n, rubrics) with NaN for a missing label.

    All other weights stay as they are, so that vectors kept by `assay score --embeddings` serve the new head.
    `weights`, above 0, have the shape of the labels; without them all labels have the same weight. `seed` draws the
    weights of a pooler that the encoder lacks. Raise InputError for fewer than 20 labels by a rubric, and for equal
    ones.
    """
    import torch

    started, worked = time.monotonic(), time.process_time()
    model = new_model(info, seed=seed)
    label_DR = np.asarray(labels, float).reshape(len(texts), len(info.aspects))
    weight_DR = np.ones(label_DR.shape) if weights is None else np.asarray(weights, float).reshape(label_DR.shape)
    read = Scorer(model).read(texts, features=True)
    assert read.features is not None
    feature_DH, head, error = read.features.astype(float), output_layer(model.network), 0.0
    for number, aspect in enumerate(info.aspects):
        known = np.flatnonzero(np.isfinite(label_DR[:, number]))
        label, counts = label_DR[known, number], weight_DR[known, number]
        if len(known) < LEAST or label.min() == label.max():
            raise InputError(
                f"{len(known)} labels, {len(np.unique(label))} of them different, to fit a head to",
                where=f"rubric {aspect.rubric.name}",
                fix=f"Give at least {LEAST}, of two values or more",
            )
        ridge = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        ridge.fit(feature_DH[known], label, ridgecv__sample_weight=counts / counts.mean())
        scale, line = ridge[0], ridge[1]
        slope_H = line.coef_ / scale.scale_
        with torch.no_grad():
            head.weight[number] = torch.from_numpy(slope_H)
            head.bias[number] = float(line.intercept_ - slope_H @ scale.mean_)
        error += float(np.average((ridge.predict(feature_DH[known]) - label) ** 2, weights=counts)) / len(info.aspects)
    record = in_one_step(error, float((read.tokens * read.read).sum()), started, worked)
    return Fitted(model, [record])
