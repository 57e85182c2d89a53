"""The learning curve: models that are fitted to a part of the documents alone, and what they say of the test part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.labels import SplitSet, part_of
from assay.storage import read_parquet, write_parquet

FILE = "learning.parquet"
SHARES = (0.25, 0.5)
"""Shares of the documents of the measured model, which is the last point of the curve."""
LEAST = 40
"""Least documents of a point: with fewer, their choice would matter more than their number. Chosen."""


def rows_of(labels: NDArray[np.float64], seed: int) -> list[NDArray[np.int64]]:
    """Return the rows of each point but the last, shape (documents of the point,), in rising order.

    `labels`: shape (n, rubrics), NaN for a missing one. The rows of a point are in the next one, too. A point is left
    out if a rubric would have fewer than 40 labels, or equal ones.
    """
    order = np.random.default_rng([seed, len(labels)]).permutation(len(labels))
    found = []
    for share in SHARES:
        rows = np.sort(order[: round(share * len(labels))])
        known = [column[np.isfinite(column)] for column in labels[rows].T]
        if all(len(column) >= LEAST and column.min() < column.max() for column in known):
            found.append(rows)
    return found


@dataclass(frozen=True)
class Points:
    """Scores of the test part by the models of a learning curve."""

    scores: dict[int, pd.Series]
    """Documents of a point -> score of each test document, by id."""
    documents: int
    """Documents of the measured model, which is the last point."""


def write_learning(
    folder: Path,
    sets: Sequence[SplitSet],
    sizes: Sequence[int],
    scores: Sequence[Sequence[NDArray[np.float64]]],
    documents: int,
) -> None:
    """Write the points into a model folder being staged; the scores of a point are one array for each set."""
    tables = []
    for size, of_point in zip(sizes, scores, strict=True):
        for each, score in zip(sets, of_point, strict=True):
            ids = part_of(each.documents, each.assignment, "test")["id"]
            fields = {"rubric": each.rubric.name, "id": ids, "documents": size, "of": documents, "score": score}
            tables.append(pd.DataFrame(fields))
    write_parquet(pa.Table.from_pandas(pd.concat(tables), preserve_index=False), folder / FILE)


def read_learning(folder: Path, rubric: str) -> Points | None:
    """Return the points of a model folder by one rubric. None if it has no learning curve."""
    if not (folder / FILE).is_file():
        return None
    table = read_parquet(str(folder / FILE), ["rubric", "id", "documents", "of", "score"]).to_pandas()
    table = table[table["rubric"] == rubric]
    scores = {int(size): point.set_index("id")["score"] for size, point in table.groupby("documents")}
    return Points(scores, int(table["of"].iloc[0]))
