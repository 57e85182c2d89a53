"""Add the lexical part of a hybrid to a network that was fitted to the same documents."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.model import QualityModel
from assay.training.fitted import Fitted
from assay.training.lexical import fit_lexical


def add_words(
    fitted: Fitted[QualityModel],
    texts: Sequence[str],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    seed: int,
) -> Fitted[QualityModel]:
    """Return the model with weights over the words of the same texts; arguments as of `fit_lexical`.

    Both parts are fitted to the labels by squared error, so that half of each is a score on their scale: on 799
    documents of fineweb_edu no other weights ranked better by more than .001 (benchmarks/RESULTS.md).
    """
    lexical = fit_lexical(texts, labels, fitted.model.info.words_alone(), weights=weights, seed=seed)
    return replace(fitted, model=replace(fitted.model, words=lexical.model.weights))
