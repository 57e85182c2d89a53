"""Hashing over arrays of bytes counts the words and pairs that a plain loop over characters finds."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.lexical import hash_texts, hashing
from assay.lexical.hashing import Features

TEXTS = st.text(st.sampled_from("aB9 .,-\n\té“”—…«»\u00a0\u2003、。\u3000日本🙂\ud800"), max_size=60)


def words_of(text: str) -> list[str]:
    """Return the words and marks of a text, by a loop over its characters."""
    found, inside = [], False
    for character in text.encode("utf-8", "replace").decode():
        number = ord(character)
        letter = character.isascii() and character.isalnum()
        blank = number < 33 or number == 127 or number in (0xA0, 0x3000)
        blank = blank or 0x2000 <= number < 0x2010 or 0x2028 <= number < 0x2030
        mark = (number < 128 and not letter) or 0x80 <= number < 0xC0
        mark = mark or 0x2000 <= number < 0x2080 or 0x3000 <= number < 0x3040
        if blank:
            inside = False
        elif mark:
            found.append(character)
            inside = False
        else:
            small = character.lower() if character.isascii() else character
            if inside:
                found[-1] += small
            else:
                found.append(small)
            inside = True
    return found


def columns_of(texts: list[str], words: int = 100) -> list[Counter[int]]:
    counts: list[Counter[int]] = [Counter() for _ in texts]
    for rows, found in hash_texts(texts, words):
        for text, column, count in zip(found.text, found.column, found.count, strict=True):
            counts[rows.start + text][int(column)] += int(count)
    return counts


def single(word: str) -> int:
    (column,) = columns_of([word])[0]
    return column


def pair(one: str, other: str) -> int:
    counts = columns_of([f"{one} {other}"])[0]
    counts.subtract([single(one), single(other)])
    return next(column for column, count in counts.items() if count)


def only(texts: list[str], words: int = 100) -> Features:
    ((_, found),) = hash_texts(texts, words)
    return found


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_words_and_pairs_are_those_of_a_plain_loop(text: str) -> None:
    words = words_of(text)

    (counts,) = columns_of([text])

    assert counts == Counter([*map(single, words), *(pair(*both) for both in pairwise(words))])


@given(st.lists(TEXTS, max_size=8), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_the_features_of_a_text_do_not_depend_on_its_neighbours(texts: list[str], words: int) -> None:
    assert columns_of(texts, words) == [columns_of([text], words)[0] for text in texts]


def test_they_do_not_depend_on_the_chunks_either(monkeypatch: pytest.MonkeyPatch, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:40]]
    together = columns_of(texts)
    monkeypatch.setattr(hashing, "CHUNK_BYTES", 700)

    assert len(list(hash_texts(texts, 100))) > 10
    assert columns_of(texts) == together


def test_only_the_first_words_are_read_and_all_are_counted() -> None:
    long = "one two three " * 400
    found = only(["one two three", long, "", "two"], 3)

    assert found.words.tolist() == [3, 1200, 0, 1]
    assert found.read.tolist() == [3, 3, 0, 1]
    counts = columns_of(["one two three", long], 3)
    assert counts[0] == counts[1]


@given(st.lists(st.sampled_from(["ab", "c.", "é", "“x”", "日本", "\u00a0", "d" * 9]), max_size=40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_words_are_counted_across_the_end_of_what_is_read(parts: list[str], words: int) -> None:
    text = " ".join(parts)
    long = len(text) > words * hashing.CHARACTERS
    head = words_of(text[: words * hashing.CHARACTERS])

    found = only([text], words)

    # A word that the end of the beginning cuts is one word.
    assert found.words.tolist() == [len(words_of(text))]
    assert found.read.tolist() == [min(words, len(head))]
    assert long or found.read[0] <= found.words[0]


def test_case_is_ignored_and_order_is_not() -> None:
    assert columns_of(["The CAT sat"]) == columns_of(["the cat SAT"])
    assert columns_of(["the cat sat"]) != columns_of(["cat the sat"])


def test_columns_are_spread_evenly() -> None:
    columns = np.array([single(f"word{number}") for number in range(3000)])

    # Of 3,000 words in 2^20 columns about 4 pairs share one.
    assert len(set(columns.tolist())) > 2980
    assert 0.45 < (columns % 2).mean() < 0.55
