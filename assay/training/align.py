"""Map the scores of the model that ships onto those of the model that was measured."""

from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from assay.inference import Scorer
from assay.labels import SplitSet, fitting_part
from assay.model import REFIT, LexicalModel, QualityModel, load_model, rescale
from assay.progress import say

MOST_DOCUMENTS = 1_000
"""Documents of a rubric on which the scales are compared: their mean and spread are known to a few per cent."""
LEAST_AGREEMENT = 0.5
"""Least rank correlation of the two models on these documents. Two sound fits had 0.895 to 0.986 where measured."""


def aligned(
    folder: Path, measured: Scorer, sets: dict[str, SplitSet], *, cross_fitted: bool
) -> QualityModel | LexicalModel | None:
    """Return the model in `folder`/refit, with its scores mapped onto those of the measured model in `folder`.

    Both models were fitted to the documents that are compared, so that both know them equally well. The line gives the
    scores of both the same mean and standard deviation there (linear equating: Kolen and Brennan, "Test Equating",
    2014, chapter 2). `sets`: rubric -> its documents. Return None if the two models do not order these documents alike
    by each rubric: then one of the fits has failed, and no figure of the measured model says anything of the other.
    """
    shipped = load_model(folder / REFIT)
    slopes, shifts = [], []
    for aspect in shipped.info.aspects:
        name, of = aspect.rubric.name, sets[aspect.rubric.name]
        known = fitting_part(of.documents, of.assignment, cross_fitted=cross_fitted)
        rows = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_DOCUMENTS)).round().astype(int))
        texts = of.snapshot.take(known["row"].iloc[rows])
        first, second = (Scorer(model, rubric=name).read(texts).score for model in (measured.model, shipped))
        agreement = float(spearmanr(first, second).statistic) if first.std() > 0 and second.std() > 0 else 0.0
        compared = f"on {len(texts)} documents that both have seen, rank correlation {agreement:.3f}"
        if agreement < LEAST_AGREEMENT:
            say(f"{name}: the fit to all labels does not agree with the measured model, {compared}; it does not ship")
            return None
        slopes.append(first.std() / second.std())
        shifts.append(first.mean() - slopes[-1] * second.mean())
        say(f"{name}: fitted to all labels; {compared}; mapped by {slopes[-1]:.3f} * score {shifts[-1]:+.3f}")
    return rescale(shipped, np.array(slopes), np.array(shifts))
