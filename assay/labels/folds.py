"""Cross-fitting: every document is scored by a model that has learned from none of its cluster."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.labels.parts import part_of


def fitting_part(documents: pd.DataFrame, assignment: pd.DataFrame, *, cross_fitted: bool) -> pd.DataFrame:
    """The labelled documents that a model learns from, in the order of the source: train, cross-fitted calibration too.

    `documents` is a LabelledDocument table, `assignment` its SplitAssignment.
    """
    parts = [
        part_of(documents, assignment, name) for name in (("train", "calibration") if cross_fitted else ("train",))
    ]
    return pd.concat(parts).sort_values("row", ignore_index=True)


def unseen_parts(*, cross_fitted: bool) -> tuple[str, ...]:
    """Names of the parts that a model has not learned from."""
    return ("test",) if cross_fitted else ("calibration", "test")


def assign_folds(
    labels: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[int] | NDArray[np.int64],
    threshold: float,
    folds: int,
    seed: int,
) -> NDArray[np.int64]:
    """Fold of each of n documents, shape (n,), 0 to folds - 1.

    Whole clusters, in the order of their mean label, are dealt out in random blocks, so that every fold has about
    the same levels. Raises InputError where fewer clusters than folds lie on one side of the threshold.
    """
    label = np.asarray(labels, float)
    cluster = np.asarray(clusters)
    reaches = label >= threshold
    sides = [len(np.unique(cluster[reaches == side])) for side in (True, False)]
    if min(sides) < folds:
        raise InputError(
            f"{folds} folds, but {sides[0]} clusters of documents reach the threshold and {sides[1]} do not",
            where="cross-fitting",
            fix="Take fewer folds, or label more documents",
        )
    names, number = np.unique(cluster, return_inverse=True)
    mean = np.bincount(number, label) / np.bincount(number)
    generator = np.random.default_rng(seed)
    order = np.lexsort((generator.random(len(names)), mean))  # neighbours have about the same label
    blocks = [generator.permutation(folds) for _ in range(-(-len(names) // folds))]
    of_cluster = np.empty(len(names), np.int64)
    of_cluster[order] = np.concatenate(blocks)[: len(names)]
    return of_cluster[number]
