"""Combine the answers of a document into a label, with its uncertainty and its weight in training."""

import numpy as np
import pandas as pd


def mean_label(answers: pd.DataFrame, low: int, high: int) -> pd.DataFrame:
    """Return `id`, `label`, `uncertainty` and `weight` of each document with a valid answer.

    `answers` has the columns `id`, `judge`, `repeat` and `grade`, which is nan without a valid answer; grades are
    `low` to `high`. The label is the mean over the judges of the mean of their answers. The uncertainty is the standard
    error of the mean of all answers, nan for a single one. The weight is 1.
    """
    valid = answers[answers["grade"].between(low, high)]
    judged = valid.groupby(["id", "judge"], sort=False)["grade"].mean().groupby(level="id", sort=False).mean()
    grouped = valid.groupby("id", sort=False)["grade"]
    error = (grouped.std() / np.sqrt(grouped.size())).reindex(judged.index)
    return pd.DataFrame(
        {
            "id": judged.index.astype("str"),
            "label": judged.to_numpy(float),
            "uncertainty": error.to_numpy(float),
            "weight": 1.0,
        }
    )


combine = mean_label
"""The combination that `assay annotate` uses."""
