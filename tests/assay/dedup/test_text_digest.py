"""The normal form, digest and shingles of a text."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.dedup import normalise, text_digest
from assay.dedup.text import shingles

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(ANY_TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once
    assert text_digest(text) == text_digest(once)


@pytest.mark.parametrize(
    "variant", ["  Straße\n\tund  Fluss ", "STRASSE UND FLUSS", "strasse\u00a0und\u3000ﬂuss", "Strasse und Fluss"]
)
def test_case_white_space_and_compatibility_forms_are_no_difference(variant: str) -> None:
    assert normalise(variant) == "strasse und fluss"
    assert text_digest(variant) == text_digest("Straße und Fluss")


def test_a_digest_is_the_sha256_of_the_normal_form() -> None:
    # printf 'hello world' | sha256sum
    assert text_digest("Hello  World") == "b94d27b9934d3e08a52e52d7da7dabfa"


def test_other_words_give_another_digest() -> None:
    assert text_digest("a cat") != text_digest("a dog")
    assert text_digest("ab c") != text_digest("a bc")
    assert text_digest("\ud800") != text_digest("\ud801")


def test_long_texts_have_one_shingle_for_each_run_of_words() -> None:
    words = [f"word{i}" for i in range(50)]

    found = shingles(" ".join(words), words=5, characters=5)

    assert len(found) == 46
    assert (np.diff(found.astype(object)) > 0).all()


def test_a_shingle_does_not_depend_on_its_place() -> None:
    phrase = "one two three four five"
    early = shingles(f"{phrase} {'x ' * 20}".strip(), words=5, characters=5)
    late = shingles(f"{'y ' * 30}{phrase}", words=5, characters=5)

    assert len(np.intersect1d(early, late)) == 1


@pytest.mark.parametrize("text", ["abcdefgh", "一二三四五六七八", "\ud800\ud801bcdefg"])
def test_short_texts_and_texts_without_spaces_have_shingles_of_characters(text: str) -> None:
    assert len(shingles(text, words=5, characters=5)) == 4


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("abcd", 1)])
def test_a_text_shorter_than_a_shingle_is_one(text: str, count: int) -> None:
    assert len(shingles(text, words=5, characters=5)) == count


@given(st.lists(st.sampled_from(string.ascii_lowercase[:3]), min_size=10, max_size=80))
def test_hashes_are_equal_only_for_equal_words(words: list[str]) -> None:
    runs = {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    assert len(shingles(" ".join(words), words=3, characters=5)) == len(runs)
