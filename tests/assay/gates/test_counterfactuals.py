"""Changes keep what they must keep; a model that a list of keywords fools is refused."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.errors import InputError
from assay.gates.counterfactuals import STUFFED, CounterfactualLimits, keywords, measure_counterfactuals
from assay.gates.perturbations import (
    PERTURBATIONS,
    boilerplate_after,
    boilerplate_before,
    code_fence,
    first_half,
    second_half,
    sentences,
    shuffle_sentences,
    stuff_keywords,
    upper_case,
)
from assay.model import Calibration

TEXTS = st.text(st.sampled_from("ab .!?\n\r\t\u2003éß-x1"), max_size=120) | st.text(max_size=60)
IDS = st.text(max_size=5)


@given(TEXTS, IDS, st.integers(0, 3))
def test_shuffling_keeps_the_sentences(text: str, identity: str, seed: int) -> None:
    shuffled = shuffle_sentences(text, identity, seed)

    assert Counter(sentences(shuffled)) == Counter(sentences(text))


@given(TEXTS, IDS)
def test_halves_are_the_whole(text: str, identity: str) -> None:
    assert first_half(text, identity, 0) + second_half(text, identity, 0) == text


@given(TEXTS, IDS, st.integers(0, 3))
def test_boilerplate_and_fences_leave_the_text_as_it_was(text: str, identity: str, seed: int) -> None:
    before, after = boilerplate_before(text, identity, seed), boilerplate_after(text, identity, seed)

    assert before.endswith(f"\n\n{text}")
    assert after.startswith(f"{text}\n\n")
    assert before.removesuffix(text).strip() == after.removeprefix(text).strip()
    assert code_fence(text, identity, seed).removeprefix("```\n").removesuffix("\n```") == text


@given(TEXTS, IDS, st.integers(0, 3))
def test_stuffing_adds_keywords_and_takes_nothing_away(text: str, identity: str, seed: int) -> None:
    stuffed = stuff_keywords(["KEYWORD"])(text, identity, seed)

    assert stuffed.replace("KEYWORD ", "") == text
    assert stuffed.count("KEYWORD") == -(-len(text.split()) // 8)


@given(TEXTS, IDS)
def test_upper_case_is_a_projection(text: str, identity: str) -> None:
    once = upper_case(text, identity, 0)

    assert upper_case(once, identity, 0) == once


@given(TEXTS, IDS, st.integers(0, 3))
def test_a_change_is_the_same_each_time(text: str, identity: str, seed: int) -> None:
    for change in [*PERTURBATIONS.values(), stuff_keywords(["one", "two", "three"])]:
        assert change(text, identity, seed) == change(text, identity, seed)


def test_another_id_or_seed_gives_another_change() -> None:
    text = " ".join(f"This is sentence {number}." for number in range(30))
    changed = {shuffle_sentences(text, identity, seed) for identity in ("a", "b") for seed in (0, 1)}

    assert len(changed) == 4


class Planted(ABC):
    """A model made of a function of one text, calibrated on some documents."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        self.map = Calibration.fit(self.raw(texts), labels, low=0, high=5, threshold=3)

    @abstractmethod
    def raw(self, texts: Sequence[str]) -> np.ndarray:
        """A figure for each text."""

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        meaning = self.map.apply(self.raw(texts))
        return pd.DataFrame({"calibrated": meaning.calibrated, "keep": meaning.keep})


class CountsKeywords(Planted):
    """Counts the words that are more frequent in good documents, by its own statistics."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        good, all_of_them = Counter(), Counter()
        for text, label in zip(texts, labels, strict=True):
            words = set(re.findall(r"[a-z]{4,}", text.lower()))
            all_of_them.update(words)
            good.update(words if label >= 3 else ())
        odds = {w: (2 * good[w] - all_of_them[w]) / np.sqrt(all_of_them[w] + 4) for w in good}
        self.words = set(sorted(odds, key=lambda w: -odds[w])[:30])
        super().__init__(texts, labels)

    def raw(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([sum(w in self.words for w in re.findall(r"[a-z]+", t.lower())) for t in texts], float)


class Recognises(Planted):
    """Knows each document's label, and recognises a document by most of its words, like an ideal reader."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        self.vectorizer = TfidfVectorizer()
        self.known, self.labels = self.vectorizer.fit_transform(texts), labels
        super().__init__(texts, labels)

    def raw(self, texts: Sequence[str]) -> np.ndarray:
        return self.labels[np.asarray((self.vectorizer.transform(texts) @ self.known.T).argmax(axis=1)).ravel()]


class LikesCapitals(Recognises):
    """Recognises documents, and adds four labels for capitals."""

    def raw(self, texts: Sequence[str]) -> np.ndarray:
        return super().raw(texts) + np.array([4.0 * (text.upper() == text) for text in texts])


class LikesDisorder(Recognises):
    """Recognises documents, and adds two labels if there are no paragraphs, as after shuffling."""

    def raw(self, texts: Sequence[str]) -> np.ndarray:
        return super().raw(texts) + 2.0 * np.array(["\n\n" not in text for text in texts])


class TfidfRidge(Planted):
    """A list of words with weights."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        self.vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        self.ridge = Ridge(1.0).fit(self.vectorizer.fit_transform(texts), labels)
        super().__init__(texts, labels)

    def raw(self, texts: Sequence[str]) -> np.ndarray:
        return self.ridge.predict(self.vectorizer.transform(texts))


@pytest.fixture(scope="module")
def halves(sample: list[dict]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Documents of the sample to fit with, and others to change."""
    table = pd.DataFrame(sample)[["id", "text", "label"]]
    table["label"] = table["label"].astype(float)
    order = np.random.default_rng(0).permutation(len(table))
    table = table.iloc[order].reset_index(drop=True).assign(cluster=range(len(table)))
    return table.iloc[:270], table.iloc[270:].reset_index(drop=True)


@pytest.fixture(scope="module")
def listed(halves: tuple[pd.DataFrame, pd.DataFrame]) -> list[str]:
    fitting, _ = halves
    return keywords(fitting["text"].tolist(), fitting["label"].tolist(), 3)


@pytest.mark.parametrize("kind", [CountsKeywords, TfidfRidge])
def test_a_planted_keyword_learner_is_refused(
    halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str], kind: type[Planted]
) -> None:
    fitting, others = halves
    model = kind(fitting["text"].tolist(), fitting["label"].to_numpy())
    kept = model.score(others["text"].tolist())["keep"]
    assert (kept == (others["label"] >= 3)).mean() > 0.65  # it does well if nobody games it

    found = measure_counterfactuals(model, others, others["text"].tolist(), listed, 3)

    verdict = found.verdict()
    assert verdict.refused
    assert "A list of keywords fools the model" in verdict.reasons[0]
    assert found.effects[STUFFED].flips.low > 0.4
    assert found.effects[STUFFED].shift.low > 0.5


def test_a_model_that_knows_the_documents_passes(halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]) -> None:
    _, others = halves
    texts = others["text"].tolist()

    found = measure_counterfactuals(Recognises(texts, others["label"].to_numpy()), others, texts, listed, 3)

    assert found.verdict().passed, found.verdict().reasons
    assert {effect.documents for name, effect in found.effects.items() if name != STUFFED} == {180}


def test_a_model_that_likes_capitals_is_refused_for_these_alone(
    halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]
) -> None:
    _, others = halves
    texts = others["text"].tolist()

    verdict = measure_counterfactuals(
        LikesCapitals(texts, others["label"].to_numpy()), others, texts, listed, 3
    ).verdict()

    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("Upper case: ")


def test_a_model_that_likes_disorder_is_refused(halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]) -> None:
    _, others = halves
    texts = [text.replace(". ", ".\n\n") for text in others["text"]]

    verdict = measure_counterfactuals(
        LikesDisorder(texts, others["label"].to_numpy()), others, texts, listed, 3
    ).verdict()

    assert any("The model prefers disorder" in reason for reason in verdict.reasons)


def test_keywords_come_from_the_kept_class(listed: list[str]) -> None:
    planted = keywords(["theorem proof lemma"] * 5 + ["cheap offer today"] * 5, [4] * 5 + [0] * 5, 3)

    assert sorted(planted) == ["lemma", "proof", "theorem"]
    assert len(listed) == len(set(listed)) == 40
    assert keywords(["all", "words", "differ"], [0, 5, 5], 3) == []


def test_too_few_documents_give_no_verdict(halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]) -> None:
    _, others = halves
    few = others.iloc[:40]
    model = Recognises(few["text"].tolist(), few["label"].to_numpy())

    verdict = measure_counterfactuals(model, few, few["text"].tolist(), listed, 3).verdict()

    assert verdict.passed is None
    assert "At least 50 effective clusters" in verdict.reasons[0]


def test_without_keywords_there_is_no_verdict(halves: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    _, others = halves
    texts = others["text"].tolist()

    verdict = measure_counterfactuals(Recognises(texts, others["label"].to_numpy()), others, texts, [], 3).verdict()

    assert verdict.passed is None
    assert "No word of the train part" in verdict.reasons[0]


def test_documents_that_gave_the_words_are_not_stuffed(
    halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]
) -> None:
    _, others = halves
    texts = others["text"].tolist()
    model = Recognises(texts, others["label"].to_numpy())
    may = np.arange(len(others)) % 2 == 0

    found = measure_counterfactuals(model, others, texts, listed, 3, stuffable=may, source="the odd ones")

    below = (others["label"] < 3) & ~model.score(texts)["keep"]
    assert found.effects[STUFFED].documents == (below & may).sum()
    assert found.effects["upper_case"].documents == len(others)
    assert found.verdict().figures["keywords from"] == "the odd ones"


def test_the_documents_are_chosen_by_their_ids(halves: tuple[pd.DataFrame, pd.DataFrame], listed: list[str]) -> None:
    _, others = halves
    texts = others["text"].tolist()
    model = Recognises(texts, others["label"].to_numpy())
    turned = others.iloc[::-1].reset_index(drop=True)

    first, again = (
        measure_counterfactuals(model, table, table["text"].tolist(), listed, 3, documents=60, resamples=20)
        for table in (others, turned)
    )

    for name, effect in first.effects.items():
        assert effect.documents == again.effects[name].documents
        assert effect.shift.value == pytest.approx(again.effects[name].shift.value), name


def test_limits_are_checked() -> None:
    for wrong in (
        {"documents": 49},
        {"stuffed_kept": 1.1},
        {"shuffled_rise": -1},
        {"shuffled_rise": float("nan")},
        {"half_flips": -0.1},
    ):
        with pytest.raises(InputError):
            CounterfactualLimits(**wrong)
