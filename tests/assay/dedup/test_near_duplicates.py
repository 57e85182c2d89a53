"""Near-duplicate clusters, compared with the similarity of all pairs."""

import itertools
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.dedup import DedupConfig, near_duplicate_clusters, normalise, text_digest
from assay.errors import InputError


def all_pairs(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    """Return the pairs of long texts whose sets of five-word strings reach the threshold, without hashes."""
    sets = []
    for text in texts:
        words = normalise(text).split(" ")
        sets.append({" ".join(words[i : i + 5]) for i in range(len(words) - 4)})
    found = set()
    for (a, x), (b, y) in itertools.combinations(enumerate(sets), 2):
        if min(len(x), len(y)) >= threshold * max(len(x), len(y)):
            shared = len(x & y)
            if shared >= threshold * (len(x) + len(y) - shared):
                found.add((a, b))
    return found


def same_cluster(clusters: np.ndarray) -> set[tuple[int, int]]:
    return {(a, b) for a, b in itertools.combinations(range(len(clusters)), 2) if clusters[a] == clusters[b]}


def closure(pairs: set[tuple[int, int]], n: int) -> np.ndarray:
    a, b = np.array(sorted(pairs)).T
    return connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[1]


@pytest.fixture(scope="module")
def planted() -> list[str]:
    """1,000 texts: 600 independent ones, and 400 made from 100 originals with 0, 1, 3 or 6 words changed."""
    draw = random.Random(7)
    vocabulary = [f"word{i}" for i in range(3000)]
    texts = [" ".join(draw.choices(vocabulary, k=draw.randint(60, 250))) for _ in range(600)]
    for _ in range(100):
        original = draw.choices(vocabulary, k=draw.randint(100, 250))
        for changes in (0, 1, 3, 6):
            words = list(original)
            for place in draw.sample(range(len(words)), changes):
                words[place] = draw.choice(vocabulary)
            texts.append(" ".join(words).upper() if changes == 0 else " ".join(words))
    draw.shuffle(texts)
    return texts


@pytest.mark.parametrize(
    "threshold", [pytest.param(0.5, marks=pytest.mark.full), 0.7, pytest.param(0.9, marks=pytest.mark.full)]
)
def test_clusters_are_the_components_of_all_pairs(planted: list[str], threshold: float) -> None:
    truth = all_pairs(planted, threshold)

    clusters = near_duplicate_clusters(planted, config=DedupConfig(threshold=threshold), progress=False)

    assert len(truth) > 50
    found = same_cluster(clusters)
    assert len(found & truth) >= 0.99 * len(truth), "recall"
    assert found <= same_cluster(closure(truth, len(planted))), "precision: no pair is joined without a reason"


def test_the_number_of_a_cluster_is_its_smallest_row(planted: list[str]) -> None:
    clusters = near_duplicate_clusters(planted, progress=False)

    assert clusters.dtype == np.int64
    for number in set(clusters.tolist()):
        assert np.flatnonzero(clusters == number)[0] == number


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_documents_changes_nothing(planted: list[str], draw: random.Random) -> None:
    texts = planted[:300]
    order = draw.sample(range(300), 300)

    straight = near_duplicate_clusters(texts, progress=False)
    shuffled = near_duplicate_clusters([texts[i] for i in order], progress=False)

    assert {(min(order[a], order[b]), max(order[a], order[b])) for a, b in same_cluster(shuffled)} == same_cluster(
        straight
    )


def test_chains_are_followed() -> None:
    words = [f"w{i}" for i in range(200)]
    first, second, third = words[:160], words[15:175], words[30:190]  # neighbours 0.83, ends 0.68

    clusters = near_duplicate_clusters([" ".join(w) for w in (first, third)], progress=False)
    assert clusters.tolist() == [0, 1]

    clusters = near_duplicate_clusters([" ".join(w) for w in (first, third, second)], progress=False)
    assert clusters.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], []),
        (["only one"], [0]),
        (["", "a", " \n", "A"], [0, 1, 0, 1]),
        (["Ça va", "ÇA  VA", "ça va bien, merci"], [0, 0, 2]),
        (["\ud800 lone", "\ud800 Lone", "\udfff lone"], [0, 0, 2]),
        (
            ["北京是中国的首都,也是政治文化中心。", "上海是中国最大的城市之一。", "北京是中国的首都,也是政治文化中心!"],
            [0, 1, 0],
        ),
    ],
)
def test_small_and_odd_inputs(texts: list[str], expected: list[int]) -> None:
    assert near_duplicate_clusters(texts, progress=False).tolist() == expected


@pytest.mark.full
def test_the_time_for_thousands_of_similar_pages_is_not_quadratic() -> None:
    draw = random.Random(3)
    page = [f"w{i}" for i in range(120)]
    texts = []
    for number in range(3000):
        words = list(page)
        words[draw.randrange(120)] = f"user{number}"
        texts.append(" ".join(words))

    started = time.process_time()
    clusters = near_duplicate_clusters(texts, progress=False)

    assert set(clusters.tolist()) == {0}
    assert time.process_time() - started < 20  # comparing all 4.5 million pairs takes minutes


@pytest.mark.parametrize(
    "setting",
    [
        {"threshold": 0.0},
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"shingle_words": 0},
        {"shingle_characters": 0},
        {"permutations": 8},
        {"recall": 1.0},
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        DedupConfig(**setting)


def test_a_recall_beyond_the_signature_is_refused() -> None:
    with pytest.raises(InputError, match="Raise permutations"):
        DedupConfig(threshold=0.05, permutations=64)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_banding_keeps_the_promised_recall(threshold: float) -> None:
    config = DedupConfig(threshold=threshold)
    bands = config.permutations // config.band_rows

    assert 1 - (1 - threshold**config.band_rows) ** bands >= config.recall


@pytest.mark.full
def test_long_real_documents_are_fast_and_exact_copies_are_found(shared_data: Path) -> None:
    texts = pd.read_parquet(shared_data / "fineweb_legal/annotations.parquet", columns=["text"])["text"].tolist()

    started = time.process_time()
    clusters = near_duplicate_clusters(texts, progress=False)

    assert time.process_time() - started < 60
    digests = [text_digest(text) for text in texts]
    assert len(set(zip(digests, clusters.tolist(), strict=True))) == len(set(digests))
    assert 2000 < len(set(clusters.tolist())) <= len(set(digests)) < 2500
