"""Duplicates found band by band: independent of the parts of the documents, and compared with brute force."""

import itertools
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from assay.dedup import EXACT, DedupConfig, Marks, clusters_of, marks, normalise, pairs_of_band
from assay.dedup.text import shingles

CONFIG = DedupConfig()
WORDS = [f"word{n}" for n in range(3_000)]


@dataclass
class InMemory:
    """Marks in parts, held as arrays."""

    parts: list[Marks]

    @property
    def starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(part.digest) for part in self.parts)])

    def keys(self, part: int, band: int) -> np.ndarray:
        marks = self.parts[part]
        return marks.digest[:, 0] if band == EXACT else marks.bands[:, band]

    def bits(self, part: int, rows: np.ndarray) -> np.ndarray:
        return self.parts[part].bits[rows]

    def digests(self, part: int, rows: np.ndarray) -> np.ndarray:
        return self.parts[part].digest[rows]


def dealt(found: Marks, cuts: list[int]) -> InMemory:
    edges = [0, *sorted(cuts), len(found.digest)]
    return InMemory([Marks(found.digest[a:b], found.bands[a:b], found.bits[a:b]) for a, b in itertools.pairwise(edges)])


def cluster_of_each(parts: InMemory) -> np.ndarray:
    bands = [EXACT, *range(parts.parts[0].bands.shape[1])]
    rows, cluster = clusters_of([pairs_of_band(parts, band, CONFIG) for band in bands])
    every = np.arange(parts.starts[-1])
    every[rows] = cluster
    return every


def corpus(documents: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Return texts, and the original of each: a third are copies with up to one word in 25 changed."""
    chance = random.Random(seed)
    texts: list[str] = []
    origin: list[int] = []
    for row in range(documents):
        if row > 10 and chance.random() < 1 / 3:
            source = chance.randrange(row)
            words = texts[source].split()
            for _ in range(chance.randrange(len(words) // 25 + 1)):
                words[chance.randrange(len(words))] = chance.choice(WORDS)
            texts.append(" ".join(words))
            origin.append(origin[source])
        else:
            texts.append(" ".join(chance.choice(WORDS) for _ in range(chance.randrange(60, 300))))
            origin.append(row)
    return texts, np.array(origin)


@pytest.fixture(scope="module")
def some() -> tuple[list[str], Marks]:
    texts, _ = corpus(300)
    texts += [texts[5].upper(), texts[6], texts[6] + " "]
    return texts, marks(texts, CONFIG)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 303), max_size=6))
def test_clusters_do_not_depend_on_the_parts_of_the_documents(some: tuple[list[str], Marks], cuts: list[int]) -> None:
    _, found = some
    assert (cluster_of_each(dealt(found, cuts)) == cluster_of_each(dealt(found, []))).all()


def test_texts_that_differ_in_case_and_spaces_are_one_cluster(some: tuple[list[str], Marks]) -> None:
    texts, found = some
    pairs = pairs_of_band(dealt(found, [100]), EXACT, CONFIG)
    rows, cluster = clusters_of([pairs])
    of_row = dict(zip(rows.tolist(), cluster.tolist(), strict=True))
    assert of_row[5] == of_row[300] != of_row[6] == of_row[301] == of_row[302]
    assert all(normalise(texts[row]) == normalise(texts[first]) for row, first in of_row.items())


def test_every_document_is_compared_after_the_first_of_its_bucket_joined_another() -> None:
    # Given a chain in one bucket: 0 is like 1, 1 is like 2, and 0 is not like 2
    width = CONFIG.permutations
    bits = np.zeros((3, width), np.uint8)
    bits[1, : width // 5] = 1
    bits[2, : width // 5 * 2] = 1
    found = Marks(np.arange(6, dtype=np.uint64).reshape(3, 2), np.zeros((3, 1), np.uint64), bits)

    pairs = pairs_of_band(dealt(found, [1]), 0, CONFIG)

    assert clusters_of([pairs])[1].tolist() == [0, 0, 0]


def test_no_documents_and_no_duplicates_give_no_pairs() -> None:
    empty = marks([], CONFIG)
    assert pairs_of_band(dealt(empty, []), EXACT, CONFIG).shape == (0, 2)
    assert pairs_of_band(dealt(marks(["one text", "another one"], CONFIG), []), 0, CONFIG).shape == (0, 2)
    assert clusters_of([])[0].shape == (0,)


def test_recall_and_precision_against_brute_force() -> None:
    # Given documents with planted near-duplicates, and the similarity of every pair
    texts, _ = corpus(1_500, seed=1)
    sets = [shingles(normalise(t), words=CONFIG.shingle_words, characters=CONFIG.shingle_characters) for t in texts]
    vocabulary, columns = np.unique(np.concatenate(sets), return_inverse=True)
    owner = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    member = csr_array((np.ones(len(columns), np.int32), (owner, columns)), shape=(len(sets), len(vocabulary)))
    shared = (member @ member.T).toarray()
    sizes = shared.diagonal()
    jaccard = shared / (sizes[:, None] + sizes[None] - shared)

    cluster = cluster_of_each(dealt(marks(texts, CONFIG), [400, 900]))

    above = np.triu(jaccard >= CONFIG.threshold + 0.1, 1)
    together = cluster[:, None] == cluster[None]
    # Then hardly any pair well above the threshold is missed, and every document of a cluster is like another of it
    assert above.sum() > 200
    assert together[above].mean() > 0.995
    np.fill_diagonal(jaccard, 0)
    nearest = np.where(together, jaccard, 0).max(axis=1)[np.bincount(cluster, minlength=len(texts))[cluster] > 1]
    assert (nearest >= CONFIG.threshold - 0.1).mean() > 0.995
