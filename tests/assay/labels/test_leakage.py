"""Leakage of a random split."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.dedup import near_duplicate_clusters, text_digest
from assay.errors import InputError
from assay.labels.leakage import measure_leakage


def test_data_without_duplicates_have_no_leakage() -> None:
    leakage = measure_leakage(range(500), test_share=0.2, train_share=0.6)

    assert leakage.severity == "none"
    assert leakage.exact.mean == leakage.near.high == 0
    assert leakage.units_by_size == {1: 500}
    assert leakage.sentence() == (
        "500 rows with 500 distinct texts in 500 clusters. A random split of the rows would have put no test text "
        "into training."
    )


def test_pairs_of_rows_leak_in_proportion_to_the_training_share() -> None:
    # If one row of a pair is in test, the other is in training with probability 0.6.
    leakage = measure_leakage(range(2000), [2] * 2000, test_share=0.2, train_share=0.6, repeats=50)

    assert leakage.exact.mean == pytest.approx(0.6, abs=0.01)
    assert leakage.exact == leakage.near
    assert leakage.exact.low < leakage.exact.mean < leakage.exact.high
    assert (leakage.rows, leakage.documents, leakage.units_by_size) == (4000, 2000, {2: 2000})
    assert leakage.severity == "severe"


def test_near_duplicates_are_counted_separately() -> None:
    clusters = np.repeat(np.arange(500), 2)

    leakage = measure_leakage(clusters, test_share=0.2, train_share=0.6)

    assert leakage.exact.mean == 0
    assert leakage.near.mean == pytest.approx(0.6, abs=0.05)
    assert "0.0 % of the test texts into training, or 58 % if near-duplicates count too." in leakage.sentence()


@pytest.mark.parametrize(("pairs", "severity"), [(0, "none"), (10, "none"), (50, "some"), (150, "severe")])
def test_severity_grows_with_the_duplicates(pairs: int, severity: str) -> None:
    copies = [2] * pairs + [1] * (2000 - 2 * pairs)

    assert measure_leakage(range(len(copies)), copies, test_share=0.2, train_share=0.6).severity == severity


def test_the_simulation_can_be_repeated() -> None:
    copies = [1, 2, 3, 4] * 50
    first, again, other = (
        measure_leakage(range(200), copies, test_share=0.2, train_share=0.6, seed=seed) for seed in (1, 1, 2)
    )

    assert first == again
    assert first.near != other.near


@pytest.mark.parametrize(
    ("documents", "copies", "test_share", "train_share"),
    [
        (10, [1] * 9, 0.2, 0.6),
        (10, [0] * 10, 0.2, 0.6),
        (10, None, 0.5, 0.6),
        (10, None, 0.0, 0.6),
        (0, None, 0.2, 0.6),
    ],
)
def test_unusable_tables_are_refused(
    documents: int, copies: list[int] | None, test_share: float, train_share: float
) -> None:
    with pytest.raises(InputError):
        measure_leakage(range(documents), copies, test_share=test_share, train_share=train_share)


def test_a_published_set_full_of_copies_has_severe_leakage(shared_data: Path) -> None:
    texts = pd.read_parquet(shared_data / "fineweb_legal/annotations.parquet", columns=["text"])["text"]
    copies = texts.map(text_digest).value_counts()

    leakage = measure_leakage(range(len(copies)), copies.to_numpy(), test_share=0.2, train_share=0.8)

    assert leakage.rows == len(texts)
    assert 0.75 < leakage.exact.mean < 0.9
    assert leakage.severity == "severe"
    assert "what a model has memorised" in leakage.sentence()


def test_a_clean_sample_of_web_documents_has_no_severe_leakage(shared_data: Path) -> None:
    texts = pd.read_parquet(shared_data / "fineweb_edu", columns=["text"])["text"].drop_duplicates().tolist()[:800]
    clusters = near_duplicate_clusters(texts, progress=False)

    assert measure_leakage(clusters, test_share=0.2, train_share=0.6).severity != "severe"
