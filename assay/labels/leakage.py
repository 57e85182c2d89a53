"""Measure the leakage of a random split: test texts of which training has the same text or a near-duplicate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.storage import only_known_fields

SOME_FROM = 0.01
"""Share of leaked test rows from which leakage is `some`: it can change a metric by about one point."""
SEVERE_FROM = 0.05
"""Share from which leakage is `severe`: more than the usual difference between two models under comparison."""

Severity = Literal["none", "some", "severe"]


@only_known_fields
@dataclass(frozen=True)
class Share:
    """Share of the test rows over repeated random splits, 0 to 1."""

    mean: float
    low: float
    """Lowest share of all repeats."""
    high: float
    """Highest share of all repeats."""


@only_known_fields
@dataclass(frozen=True)
class Leakage:
    """Leakage of a random split of the rows."""

    exact: Share
    """Test rows whose text is in training."""
    near: Share
    """Test rows whose text, or a near-duplicate of it, is in training."""
    units_by_size: dict[int, int]
    """Rows in a cluster -> number of clusters of that size, sorted by size."""
    rows: int
    documents: int
    """Distinct texts."""

    @property
    def severity(self) -> Severity:
        """`none` for a mean near share below 1 %, `some` below 5 %, `severe` otherwise."""
        if self.near.mean < SOME_FROM:
            return "none"
        return "some" if self.near.mean < SEVERE_FROM else "severe"

    def sentence(self) -> str:
        """Return the result as a text for reports."""
        units = _counted(sum(self.units_by_size.values()), "cluster")
        found = f"{_counted(self.rows, 'row')} with {_counted(self.documents, 'distinct text')} in {units}"
        if self.near.mean == 0:
            return f"{found}. A random split of the rows would have put no test text into training."
        effect = {
            "none": "This is too little to matter. Duplicates stay in one part nevertheless.",
            "some": "This makes metrics slightly too high. Here duplicates stay in one part.",
            "severe": "Metrics of such a split measure what a model has memorised. Here duplicates stay in one part.",
        }
        exact, near = _percent(self.exact), _percent(self.near)
        with_near = "" if exact == near else f", or {near} if near-duplicates count too"
        return (
            f"{found}. A random split of the rows would have put identical copies of {exact} of the test texts into "
            f"training{with_near}. {effect[self.severity]}"
        )


def measure_leakage(
    clusters: Sequence[int] | NDArray[np.int64],
    copies: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    test_share: float,
    train_share: float,
    repeats: int = 20,
    seed: int = 0,
) -> Leakage:
    """Split the rows at random `repeats` times, and count the test rows that are in training too.

    `clusters`, of shape (n,): cluster of each document; texts of documents are distinct. `copies`, of shape (n,): rows
    with that text, by default 1. Estimand: the expected shares for this table of rows; the error of the simulation is
    that of a mean of `repeats` splits. Raise InputError for no documents, for copies below 1, or for shares that leave
    no row for test or training.
    """
    cluster_of = np.unique(np.asarray(clusters), return_inverse=True)[1]
    document_of = np.repeat(np.arange(len(cluster_of)), _checked_copies(copies, len(cluster_of)))
    cluster_of_row = cluster_of[document_of]
    rows = len(document_of)
    n_test, n_train = round(test_share * rows), round(train_share * rows)
    if min(n_test, n_train, repeats) < 1 or n_test + n_train > rows:
        raise InputError(
            f"{rows} rows cannot be split into {test_share:g} for test and {train_share:g} for training",
            where="leakage of a random split",
        )
    generator = np.random.default_rng(seed)
    exact, near = np.empty(repeats), np.empty(repeats)
    for repeat in range(repeats):
        order = generator.permutation(rows)
        test, train = order[:n_test], order[n_test : n_test + n_train]
        exact[repeat] = _seen(document_of, test, train)
        near[repeat] = _seen(cluster_of_row, test, train)
    sizes, counts = np.unique(np.bincount(cluster_of_row), return_counts=True)
    return Leakage(
        exact=_share(exact),
        near=_share(near),
        units_by_size=dict(zip(sizes.tolist(), counts.tolist(), strict=True)),
        rows=rows,
        documents=len(cluster_of),
    )


def _checked_copies(copies: Sequence[int] | NDArray[np.int64] | None, n: int) -> NDArray[np.int64]:
    """Return the copies of each document, 1 if none are given. Raise InputError for invalid ones."""
    counts = np.ones(n, np.int64) if copies is None else np.asarray(copies, np.int64)
    if len(counts) != n or (counts < 1).any():
        raise InputError(f"copies must be {n} whole numbers from 1 on", where="leakage of a random split")
    return counts


def _seen(name_of: NDArray[np.int64], test: NDArray[np.int64], train: NDArray[np.int64]) -> float:
    """Return the share of the test rows whose name a training row has too."""
    trained = np.zeros(name_of.max() + 1, bool)
    trained[name_of[train]] = True
    return float(trained[name_of[test]].mean())


def _share(shares: NDArray[np.float64]) -> Share:
    return Share(mean=float(shares.mean()), low=float(shares.min()), high=float(shares.max()))


def _percent(share: Share) -> str:
    return f"{100 * share.mean:.1f} %" if share.mean < 0.1 else f"{100 * share.mean:.0f} %"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
