"""Baselines find planted signals, and learn from the training part alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import spearmanr

from assay.evaluation import baseline_scores
from assay.evaluation.baselines import BASELINE_NAMES
from assay.model import Calibration

WORDS = ["river", "stone", "market", "window", "letter", "garden", "engine", "summer"]


def documents(n: int, seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts whose label is the number of times `theorem` occurs, whatever their length; and a length for each."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 6, n).astype(float)
    length = generator.integers(20, 200, n)
    texts = [
        " ".join(generator.permutation([*generator.choice(WORDS, size), *["theorem"] * (5 * int(level))]))
        for level, size in zip(label, length, strict=True)
    ]
    return texts, label, length


def embed(texts: Sequence[str]) -> np.ndarray:
    return np.array([[text.count("theorem"), len(text)] for text in texts], dtype=np.float32)


def test_each_baseline_reads_what_its_name_states() -> None:
    texts, labels, _ = documents(300, seed=0)
    others, truth, _ = documents(100, seed=1)

    scores = baseline_scores(texts, labels, others, embed)

    assert list(scores) == ["majority", "length", "tfidf_ridge", "encoder_ridge"]
    assert set(scores) == set(BASELINE_NAMES) - {"encoder_alone"}, "which needs a model"
    np.testing.assert_allclose(scores["majority"], labels.mean())
    assert spearmanr(scores["tfidf_ridge"], truth).statistic > 0.7
    assert spearmanr(scores["encoder_ridge"], truth).statistic > 0.9
    assert abs(spearmanr(scores["length"], [len(text) for text in others]).statistic) == pytest.approx(1)


def test_length_alone_finds_labels_that_are_length_alone() -> None:
    texts, _, _ = documents(300, seed=0)
    labels = np.digitize([len(text) for text in texts], [400, 600, 800, 1000, 1200]).astype(float)

    scores = baseline_scores(texts[:200], labels[:200], texts[200:], embed)

    assert spearmanr(scores["length"], labels[200:]).statistic > 0.95


def test_a_score_does_not_depend_on_the_other_documents_scored() -> None:
    texts, labels, _ = documents(200, seed=0)
    others, _, _ = documents(40, seed=1)

    together, alone = (baseline_scores(texts, labels, some, embed) for some in (others, others[:7]))

    for name in together:
        np.testing.assert_allclose(together[name][:7], alone[name], rtol=1e-6)


def test_the_majority_baseline_has_the_base_rate_and_the_larger_class() -> None:
    _, labels, _ = documents(100, seed=0)
    labels[:60] = 1

    fitted = Calibration.fit(np.full(100, labels.mean()), labels, low=0, high=5, threshold=3)
    meaning = fitted.apply(np.full(5, labels.mean()))

    np.testing.assert_allclose(meaning.p_keep, (labels >= 3).mean())
    np.testing.assert_allclose(meaning.calibrated, labels.mean())
    assert not meaning.keep.any()
