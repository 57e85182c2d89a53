"""Terms are TF-IDF as scikit-learn computes it, and weights survive the disk or say what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from assay.errors import InputError
from assay.lexical import BITS, LexicalWeights, hash_texts, terms_of
from assay.lexical.weights import FILE


@pytest.fixture
def weights() -> LexicalWeights:
    generator = np.random.default_rng(0)
    idf = generator.uniform(1, 5, 1 << BITS).astype(np.float32)
    return LexicalWeights(idf, generator.normal(0, 1, (2, 1 << BITS)).astype(np.float32), np.array([1.0, -2.0]))


def test_terms_are_those_of_scikit_learn(sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:50]]
    ((_, found),) = hash_texts(texts, 200)
    counts = sp.csr_matrix((found.count, (found.text, found.column)), shape=(len(texts), 1 << BITS))
    known = TfidfTransformer(sublinear_tf=True).fit(counts)

    terms = terms_of(found, known.idf_.astype(np.float32))

    expected = known.transform(counts)
    made = sp.csr_matrix((terms, (found.text, found.column)), shape=counts.shape)
    assert abs(made - expected).max() < 1e-6


def test_the_score_of_a_text_is_the_same_alone_and_among_others(weights: LexicalWeights, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:60]]

    together = weights.read(texts, 100)[0]

    assert np.array_equal(together, np.concatenate([weights.read([text], 100)[0] for text in texts]))
    assert together.std(axis=0).min() > 0


def test_a_text_without_a_known_word_has_the_intercept(weights: LexicalWeights) -> None:
    nothing = LexicalWeights(np.zeros_like(weights.idf), weights.weight, weights.intercept)

    assert nothing.read(["", "some words"], 10)[0].tolist() == [[1.0, -2.0], [1.0, -2.0]]
    assert weights.read([""], 10)[0].tolist() == [[1.0, -2.0]]
    assert weights.read([], 10)[0].shape == (0, 2)


def test_what_was_saved_is_read(weights: LexicalWeights, tmp_path: Path) -> None:
    weights.save(tmp_path)

    again = LexicalWeights.load(tmp_path, 2)

    for name in ("idf", "weight", "intercept"):
        assert np.array_equal(getattr(again, name), getattr(weights, name))


def test_damage_is_reported(weights: LexicalWeights, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"no weights: {FILE} is missing"):
        LexicalWeights.load(tmp_path, 2)
    weights.save(tmp_path)
    with pytest.raises(InputError, match=r"the weights do not fit the model: the shape of weight"):
        LexicalWeights.load(tmp_path, 1)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"the weights cannot be read"):
        LexicalWeights.load(tmp_path, 2)
    (tmp_path / FILE).write_bytes(whole.replace(b'"format":"1"', b'"format":"7"'))
    with pytest.raises(InputError, match=r"weights of format 7, this release reads 1"):
        LexicalWeights.load(tmp_path, 2)
    broken = LexicalWeights(weights.idf, np.full_like(weights.weight, np.nan), weights.intercept)
    broken.save(tmp_path)
    with pytest.raises(InputError, match=r"a weight that is no number"):
        LexicalWeights.load(tmp_path, 2)
