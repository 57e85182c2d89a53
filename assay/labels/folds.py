"""Cross-fitting: each document is scored by a model that was not trained on any document of its cluster."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.labels.ledger import PARTS
from assay.labels.parts import part_of


def fitting_part(
    documents: pd.DataFrame, assignment: pd.DataFrame, *, cross_fitted: bool, refitted: bool = False
) -> pd.DataFrame:
    """Return the labelled documents that a model is trained on, in the order of the source.

    These are the part train, if `cross_fitted` the part calibration too, and all parts if `refitted`. `documents`: a
    table LabelledDocument; `assignment`: its SplitAssignment.
    """
    names = PARTS if refitted else ("train", "calibration") if cross_fitted else ("train",)
    parts = [part_of(documents, assignment, name) for name in names]
    return pd.concat(parts).sort_values("row", ignore_index=True)


def unseen_parts(*, cross_fitted: bool) -> tuple[str, ...]:
    """Return the names of the parts that a model is not trained on."""
    return ("test",) if cross_fitted else ("calibration", "test")


def assign_folds(
    labels: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[int] | NDArray[np.int64],
    threshold: float,
    folds: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return the fold of each of n documents, shape (n,), from 0 to folds - 1.

    Whole clusters, sorted by their mean label, are assigned in random blocks, so that the folds have about the same
    distribution of labels. Raise InputError if fewer clusters than folds are on one side of the threshold.
    """
    label = np.asarray(labels, float)
    cluster = np.asarray(clusters)
    reaches = label >= threshold
    sides = [len(np.unique(cluster[reaches == side])) for side in (True, False)]
    if min(sides) < folds:
        raise InputError(
            f"{folds} folds, but {sides[0]} clusters of documents reach the threshold and {sides[1]} do not",
            where="cross-fitting",
            fix="Choose fewer folds, or label more documents",
        )
    names, number = np.unique(cluster, return_inverse=True)
    mean = np.bincount(number, label) / np.bincount(number)
    generator = np.random.default_rng(seed)
    order = np.lexsort((generator.random(len(names)), mean))  # random among equal means
    # One block is a permutation of the folds: clusters with neighbouring means go to different folds.
    blocks = [generator.permutation(folds) for _ in range(-(-len(names) // folds))]
    of_cluster = np.empty(len(names), np.int64)
    of_cluster[order] = np.concatenate(blocks)[: len(names)]
    return of_cluster[number]
