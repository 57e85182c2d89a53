"""How much a split of rows at random would have leaked, had nobody looked for duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError

SOME_FROM = 0.01
"""Leaked share of test rows from which there is some leakage: it can move a metric by about one point."""
SEVERE_FROM = 0.05
"""Leaked share from which it is severe: more than what usually lies between two models under comparison."""

Severity = Literal["none", "some", "severe"]


@dataclass(frozen=True)
class Share:
    """A share of the test rows over repeated random splits, 0 to 1."""

    mean: float
    low: float
    """Least of all repeats."""
    high: float
    """Greatest of all repeats."""


@dataclass(frozen=True)
class Leakage:
    """What a random split of the rows would have done."""

    exact: Share
    """Test rows whose own text is in training."""
    near: Share
    """Test rows whose own text or a near-duplicate is in training."""
    units_by_size: dict[int, int]
    """Rows in a cluster -> how many clusters have so many, by size."""
    rows: int
    documents: int
    """Distinct texts."""

    @property
    def severity(self) -> Severity:
        """`none` below a near share of 1 %, `severe` from 5 % on, on average over the repeats."""
        if self.near.mean < SOME_FROM:
            return "none"
        return "some" if self.near.mean < SEVERE_FROM else "severe"

    def sentence(self) -> str:
        """For people: what would have happened."""
        units = _counted(sum(self.units_by_size.values()), "cluster")
        found = f"{_counted(self.rows, 'row')} with {_counted(self.documents, 'distinct text')} in {units}"
        if self.near.mean == 0:
            return f"{found}: splitting the rows at random would have put no test text into training."
        remedy = {
            "none": "That is too few to matter, and they are kept together all the same.",
            "some": "That flatters a model a little; here duplicates stay together.",
            "severe": "A model measured on such a split is measured on what it has learnt by heart; "
            "here duplicates stay together.",
        }
        exact, near = _percent(self.exact), _percent(self.near)
        nearly = "" if exact == near else f", and {near} as they are or nearly"
        return (
            f"{found}: splitting the rows at random would have put {exact} of the test texts into training word for "
            f"word{nearly}. {remedy[self.severity]}"
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
    """Split the rows at random `repeats` times, and count the test rows that training has seen.

    `clusters` is the cluster number of each of n documents with distinct texts, `copies` how many rows had that
    text (1 each by default). Estimand: the expected shares for this very table of rows; the simulation's own error
    is that of a mean of `repeats` splits. Raises InputError for no documents, copies below 1, or shares that
    leave no row for test or training.
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
    counts = np.ones(n, np.int64) if copies is None else np.asarray(copies, np.int64)
    if len(counts) != n or (counts < 1).any():
        raise InputError(f"copies must be {n} whole numbers from 1 on", where="leakage of a random split")
    return counts


def _seen(name_of: NDArray[np.int64], test: NDArray[np.int64], train: NDArray[np.int64]) -> float:
    """Share of the test rows whose name some training row bears."""
    trained = np.zeros(name_of.max() + 1, bool)
    trained[name_of[train]] = True
    return float(trained[name_of[test]].mean())


def _share(shares: NDArray[np.float64]) -> Share:
    return Share(mean=float(shares.mean()), low=float(shares.min()), high=float(shares.max()))


def _percent(share: Share) -> str:
    return f"{100 * share.mean:.1f} %" if share.mean < 0.1 else f"{100 * share.mean:.0f} %"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
