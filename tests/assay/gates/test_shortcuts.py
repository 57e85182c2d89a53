"""A score that is length, format or source is refused; a score from the words is not."""

import json
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from assay.errors import InputError
from assay.gates.shortcuts import ShortcutLimits, measure_shortcuts
from assay.gates.surface import FEATURES, surface_features
from assay.gates.verdict import Verdict
from assay.storage import parse_record


def table_of(label: np.ndarray, score: np.ndarray, cluster: np.ndarray | None = None) -> pd.DataFrame:
    n = len(label)
    clusters = np.arange(n) if cluster is None else cluster
    return pd.DataFrame({"id": [f"d{i}" for i in range(n)], "cluster": clusters, "label": label, "score": score})


@pytest.fixture(scope="module")
def read_by_tfidf(sample: list[dict]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts and labels of the sample, and scores by TF-IDF + ridge that has not seen the document."""
    texts, labels = [row["text"] for row in sample], np.array([row["label"] for row in sample], float)
    scores = np.zeros(len(texts))
    for train, test in KFold(5, shuffle=True, random_state=0).split(texts):
        vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        words = vectorizer.fit_transform([texts[i] for i in train])
        scores[test] = Ridge(1.0).fit(words, labels[train]).predict(vectorizer.transform([texts[i] for i in test]))
    return texts, labels, scores


def test_a_model_that_reads_passes(read_by_tfidf: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    texts, labels, scores = read_by_tfidf

    found = measure_shortcuts(table_of(labels, scores), texts)

    assert found.verdict().passed, found.verdict().reasons
    assert found.explained["beyond"].low > 0.5
    assert found.explained["excess"].high < 0.1


@pytest.mark.parametrize("kind", ["longer", "middle", "calibrated"])
def test_a_planted_length_learner_is_refused(sample: list[dict], kind: str) -> None:
    texts, labels = [row["text"] for row in sample], np.array([row["label"] for row in sample], float)
    length = surface_features(texts)["length"].to_numpy()
    scores = {
        "longer": length,
        "middle": -np.abs(length - np.median(length)),
        # What a model learns that sees nothing but length: the label's mean there. It is well calibrated.
        "calibrated": np.polynomial.Polynomial.fit(length, labels, 3)(length),
    }[kind]

    verdict = measure_shortcuts(table_of(labels, scores), texts).verdict()

    assert verdict.refused
    assert any("explains" in reason or "knows nothing about the label" in reason for reason in verdict.reasons)


def test_a_score_that_is_half_length_is_refused(read_by_tfidf: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    texts, labels, scores = read_by_tfidf
    length = surface_features(texts)["length"].to_numpy()
    half = (scores - scores.mean()) / scores.std() + (length - length.mean()) / length.std()

    verdict = measure_shortcuts(table_of(labels, half), texts).verdict()

    assert verdict.refused
    assert any("follows length" in reason for reason in verdict.reasons)


def test_a_score_that_is_the_source_is_refused_and_one_that_varies_within_it_is_not(
    read_by_tfidf: tuple[list[str], np.ndarray, np.ndarray],
) -> None:
    texts, labels, scores = read_by_tfidf
    source = np.random.default_rng(0).choice(["a", "b", "c"], len(texts))
    by_source = np.select([source == "a", source == "b"], [0.0, 1.0], 2.0)

    planted = measure_shortcuts(table_of(labels, by_source), texts, columns={"source": source})
    honest = measure_shortcuts(table_of(labels, scores), texts, columns={"source": source})

    assert any(reason.startswith("The column source alone") for reason in planted.verdict().reasons)
    assert honest.verdict().passed
    slices = {association.slice for association in honest.associations}
    assert slices == {"all", "source: a", "source: b", "source: c"}


def test_a_shortcut_within_one_slice_alone_is_found(
    read_by_tfidf: tuple[list[str], np.ndarray, np.ndarray],
) -> None:
    texts, labels, scores = read_by_tfidf
    length = surface_features(texts)["length"].to_numpy()
    forum = np.arange(len(texts)) % 5 == 0
    mixed = np.where(forum, length - length.mean() + 2.5, scores)

    verdict = measure_shortcuts(
        table_of(labels, mixed), texts, columns={"kind": np.where(forum, "forum", "article")}
    ).verdict()

    assert any("within kind: forum" in reason for reason in verdict.reasons)
    assert not any("within kind: article" in reason for reason in verdict.reasons)


def test_a_score_may_follow_length_if_the_labels_do() -> None:
    generator = np.random.default_rng(0)
    sizes = generator.integers(20, 400, 300)
    texts = [" ".join(["word"] * size) for size in sizes]
    labels = np.floor(np.log(sizes)).astype(float)

    honest = measure_shortcuts(table_of(labels, labels + generator.normal(0, 0.2, 300)), texts)

    assert honest.explained["label"].value > 0.5
    assert honest.explained["excess"].value < 0.1
    assert honest.verdict().passed


def test_too_few_clusters_give_no_verdict() -> None:
    texts = [f"word {'more ' * i}" for i in range(100)]
    labels = np.arange(100.0) % 5
    few = table_of(labels, np.arange(100.0), np.arange(100) % 49)

    verdict = measure_shortcuts(few, texts).verdict()

    assert verdict.passed is None
    assert not verdict.refused
    assert "at least 50" in verdict.reasons[0]


def test_texts_with_equal_surfaces_explain_nothing() -> None:
    labels = np.arange(100.0) % 5

    verdict = measure_shortcuts(table_of(labels, labels), ["the same words"] * 100).verdict()

    assert verdict.passed


def test_the_partial_correlation_is_that_of_the_residual_ranks(
    read_by_tfidf: tuple[list[str], np.ndarray, np.ndarray],
) -> None:
    texts, labels, scores = read_by_tfidf

    found = measure_shortcuts(table_of(labels, scores), texts, resamples=50)

    length = rankdata(surface_features(texts)["length"])
    given_label, residual = rankdata(labels), []
    for ranks in (length, rankdata(scores)):
        residual.append(ranks - np.polynomial.Polynomial.fit(given_label, ranks, 1)(given_label))
    association = next(a for a in found.associations if a.feature == "length")
    assert association.partial.value == pytest.approx(np.corrcoef(residual)[0, 1])
    assert association.score.value == pytest.approx(spearmanr(scores, length).statistic)


def test_features_measure_what_they_are_named_for() -> None:
    texts = [
        "plain words here",
        "```\ncode\n```",
        "<p>some &amp; html</p>",
        "- one\n- two\n\n1. three",
        "LOUD 1234 !!!",
    ]

    features = surface_features(texts)

    assert list(features) == list(FEATURES)
    plain = features.iloc[0]
    assert plain["length"] == pytest.approx(np.log(4))
    assert plain[["digits", "upper_case", "code_fences", "html", "line_breaks", "list_marks"]].eq(0).all()
    assert features.idxmax()[["code_fences", "html", "list_marks", "upper_case", "digits"]].tolist() == [1, 2, 3, 4, 4]


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_features_of_any_text_are_numbers_and_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    together = surface_features(texts)

    assert np.isfinite(together.to_numpy()).all()
    pd.testing.assert_series_equal(surface_features(texts[:1]).iloc[0], together.iloc[0])


@given(st.text(string.ascii_lowercase + " ", max_size=80), st.permutations("abcdefghijklmnopqrstuvwxyz"))
def test_features_do_not_know_which_words_there_are(text: str, alphabet: list[str]) -> None:
    other = text.translate(str.maketrans(dict(zip(string.ascii_lowercase, alphabet, strict=True))))

    np.testing.assert_array_equal(surface_features([text]), surface_features([other]))


def test_limits_are_checked_and_a_verdict_survives_json(sample: list[dict]) -> None:
    with pytest.raises(InputError, match="excess"):
        ShortcutLimits(excess=-0.1)
    with pytest.raises(InputError, match="values for"):
        measure_shortcuts(table_of(np.zeros(3), np.zeros(3)), ["a", "b"])
    texts, labels = [row["text"] for row in sample[:80]], np.array([row["label"] for row in sample[:80]], float)

    verdict = measure_shortcuts(table_of(labels, labels), texts, resamples=50).verdict()

    assert parse_record(Verdict, json.loads(json.dumps(verdict.to_json())), what="a verdict") == verdict
    with pytest.raises(InputError, match="a verdict cannot be read: name: field required"):
        parse_record(Verdict, {"gate": 1}, what="a verdict")
    with pytest.raises(InputError, match="a verdict cannot be read: gate: unexpected keyword argument"):
        parse_record(Verdict, {**verdict.to_json(), "gate": 1}, what="a verdict")
