"""Words and sentences are those of datatrove, for any text and after any other text."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datatrove.utils.word_tokenizers import load_word_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cleaning.words import EnglishWords, english_words

SOUP = st.text("(:;-)=8xDPoO|/\\*_^<3[]0 .'’\"abdIcnt\n\t\u00a0", max_size=40)
"""Characters of smiles, contractions and abbreviations."""
PIECES = [
    ":)",
    ": )",
    ":-)",
    "8 )",
    "don't",
    "I'm",
    "'Cause",
    "a.m.",
    "and/or",
    "C'mon",
    "Dr.",
    "End.",
    "end.)",
    "10km",
    "e.g.",
    "(see",
    "!",
    "…",
    "日本。",
]
RULES = st.lists(st.sampled_from(PIECES), max_size=12)
SPACES = st.sampled_from([" ", "  ", "", "\n", " \t"])


def same(words: EnglishWords, text: str) -> bool:
    plain = load_word_tokenizer("eng")
    return all(
        getattr(words, way)(text) == getattr(plain, way)(text)
        for way in ("word_tokenize", "span_tokenize", "sent_tokenize")
    )


@settings(max_examples=400, deadline=None)
@given(SOUP)
def test_characters_in_any_order(text: str) -> None:
    assert same(english_words(), text)


@settings(max_examples=300, deadline=None)
@given(RULES, SPACES)
def test_words_with_rules_next_to_each_other(pieces: list[str], space: str) -> None:
    assert same(english_words(), space.join(pieces))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    assert same(english_words(), text)


@pytest.mark.parametrize("text", ["", " ", "a" * 100_000, "One. \u00a0Two.  ", "\x1c a.\x1f b."])
def test_odd_texts(text: str) -> None:
    assert same(EnglishWords(), text)


def test_names_of_spacys_attributes_are_words_like_others() -> None:
    text = "IS_ALPHA, (IS_ALPHA) is one, ORTH is another."
    first = english_words().word_tokenize(text)
    assert first == english_words().word_tokenize(text)
    assert first.count("IS_ALPHA") == 2


def test_forgotten_pieces_are_tokenized_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.cleaning.words.REMEMBERED", 30)
    words = EnglishWords()
    texts = ["The river isn't deep here. It is cold.", "Nobody (not me) swims: why?", "It is cold... Isn't it?"]
    assert all(same(words, text) for text in texts * 3)


@pytest.mark.full
def test_real_documents(shared_data: Path) -> None:
    texts = pq.read_table(shared_data / "fineweb_raw/part-0.parquet")["text"][:150].to_pylist()
    words = EnglishWords()
    lines = [line.strip() for text in texts for line in text.splitlines()]
    assert [text for text in [*texts, *lines] if not same(words, text)] == []
