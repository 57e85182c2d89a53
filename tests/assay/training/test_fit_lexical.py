"""A lexical model learns from labels, counts weights, knows several rubrics, and refuses what it cannot use."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import Aspect, ModelInfo, Windows
from assay.rubric import load_rubric
from assay.training import TrainConfig, recipe
from assay.training.lexical import fit_lexical


@pytest.fixture(scope="module")
def info() -> ModelInfo:
    return ModelInfo("", load_rubric("education"), Windows(300), kind="lexical")


@pytest.fixture(scope="module")
def labelled(sample: list[dict]) -> tuple[list[str], np.ndarray]:
    return [row["text"] for row in sample], np.array([float(row["label"]) for row in sample])


def test_it_learns_and_gives_the_same_every_time(labelled: tuple[list[str], np.ndarray], info: ModelInfo) -> None:
    texts, labels = labelled

    fitted, again = (fit_lexical(texts[:300], labels[:300], info, seed=3) for _ in range(2))

    scores = Scorer(fitted.model).read(texts[300:])
    assert spearmanr(scores.score, labels[300:])[0] > 0.8
    assert abs(scores.score.mean() - labels.mean()) < 0.5, "it scores on the scale of the labels"
    assert np.array_equal(fitted.model.weights.weight, again.model.weights.weight)
    (record,) = fitted.history
    assert record["tokens"] == Scorer(fitted.model).read(texts[:300]).tokens.clip(max=300).sum()


def test_heavy_labels_outweigh_light_ones(labelled: tuple[list[str], np.ndarray], info: ModelInfo) -> None:
    texts = labelled[0][:30]
    both, labels = [text for text in texts for _ in range(2)], np.tile([1.0, 4.0], len(texts))

    low, high = (
        Scorer(fit_lexical(both, labels, info, weights=np.tile(weights, len(texts))).model).read(texts).score
        for weights in ([1e3, 1.0], [1.0, 1e3])
    )

    assert (low < 1.5).all()
    assert (high > 3.5).all()


def test_only_the_ratio_of_weights_counts(labelled: tuple[list[str], np.ndarray], info: ModelInfo) -> None:
    texts, labels = labelled

    plain, scaled = (
        fit_lexical(texts[:100], labels[:100], info, weights=weights) for weights in (None, np.full(100, 7.0))
    )

    np.testing.assert_allclose(plain.model.weights.weight, scaled.model.weights.weight, atol=1e-5)


def test_each_rubric_learns_from_its_own_labels(labelled: tuple[list[str], np.ndarray], info: ModelInfo) -> None:
    texts, labels = labelled
    length = np.array([min(len(text) // 500, 3) for text in texts], float)
    both = np.stack([np.where(np.arange(len(texts)) % 2, labels, np.nan), length], axis=1)
    joint = replace(info, others=(Aspect(replace(info.rubric, name="length", high=3)),))

    model = fit_lexical(texts, both, joint).model

    odd = np.arange(len(texts)) % 2 == 1
    alone = fit_lexical([text for text, one in zip(texts, odd, strict=True) if one], labels[odd], info).model
    scores = Scorer(model).read(texts).scores
    assert spearmanr(scores[:, 0], Scorer(alone).read(texts).score)[0] > 0.9
    assert spearmanr(scores[:, 1], length)[0] > 0.8
    assert Scorer(model, rubric="length").read(texts[:9]).score.tolist() == scores[:9, 1].tolist()


def test_labels_that_cannot_be_learned_are_refused(info: ModelInfo) -> None:
    texts = [f"word{number} and others" for number in range(40)]
    with pytest.raises(InputError, match="equal labels"):
        fit_lexical(texts, np.ones(40), info)
    with pytest.raises(InputError, match="12 labels to fit a lexical model to"):
        fit_lexical(texts, np.where(np.arange(40) < 12, np.arange(40) % 4, np.nan), info)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 5}, "epochs is 5, which the kind lexical does not have"),
        ({"loss": "ordinal"}, "loss is ordinal, which the kind lexical does not have"),
        ({"encoder": "x"}, "encoder is x, which the kind lexical does not have"),
        ({"window_count": 3}, "a lexical model with 3 windows"),
        ({"kind": "other"}, "kind is 'other'"),
    ],
)
def test_settings_without_a_meaning_are_refused(changes: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        recipe("lexical", **changes)


def test_the_recipe_is_of_its_kind() -> None:
    assert recipe("lexical", window_tokens=50, folds=3) == TrainConfig(kind="lexical", windows=Windows(50), folds=3)
