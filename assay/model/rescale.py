"""Map the scores of a model to another scale, inside its weights."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.lexical import LexicalWeights
from assay.model.lexical_model import LexicalModel
from assay.model.quality_model import QualityModel, output_layer

FloatArray = NDArray[np.float64]


def rescale(model: QualityModel | LexicalModel, slopes: FloatArray, shifts: FloatArray) -> QualityModel | LexicalModel:
    """Return the model whose scores are slope * score + shift, for each rubric; both of shape (rubrics,).

    The network of the given model is changed; both parts of a hybrid are, so that each stays on the scale of the whole.
    """
    if isinstance(model, LexicalModel):
        return replace(model, weights=_words(model.weights, slopes, shifts))
    import torch

    head = output_layer(model.network)
    with torch.no_grad():
        head.weight.mul_(torch.tensor(slopes, dtype=head.weight.dtype)[:, None])
        head.bias.mul_(torch.tensor(slopes, dtype=head.bias.dtype)).add_(torch.tensor(shifts, dtype=head.bias.dtype))
    if model.words is None:
        return model
    # With weights of sum 1, the blend of both mapped parts is the mapped blend; the rest goes into the offset.
    blends = [
        replace(blend, offset=float(slope * blend.offset + shift * (1 - blend.encoder - blend.words)))
        for blend, slope, shift in zip(model.info.blend, slopes, shifts, strict=True)
    ]
    return replace(model, words=_words(model.words, slopes, shifts), info=replace(model.info, blend=tuple(blends)))


def _words(weights: LexicalWeights, slopes: FloatArray, shifts: FloatArray) -> LexicalWeights:
    return replace(
        weights,
        weight=(weights.weight * slopes[:, None]).astype(np.float32),
        intercept=weights.intercept * slopes + shifts,
    )
