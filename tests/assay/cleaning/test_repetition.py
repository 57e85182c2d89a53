"""The bound is never below datatrove's count, and the filter gives datatrove's results."""

from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter
from datatrove.pipeline.filters.gopher_repetition_filter import find_all_duplicate, find_top_duplicate, get_n_grams
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cleaning.repetition import Repetition, most_repeated
from assay.cleaning.words import english_words

TOP, DUPLICATED = [2, 3, 4], [5, 6, 7, 8, 9, 10]
# A small vocabulary, in which some words are two others joined: such n-grams have equal characters.
WORDS = st.sampled_from(["a", "b", "ab", "ba", "the", "river", "runs", "🙂", "."])
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from(["\n", "\n\n"]), st.text("abcdefg", min_size=3)), max_size=80)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60))
def test_the_bound_is_never_below_the_count_of_datatrove(words: list[str]) -> None:
    grams = [get_n_grams(words, n) for n in TOP]
    exact = [find_top_duplicate(each) if each else 0 for each in grams]
    exact += [find_all_duplicate(words, n) for n in DUPLICATED]

    found = most_repeated(words, TOP, DUPLICATED)

    assert all(most >= count for most, count in zip(found, exact, strict=True))


def test_the_bound_is_tight() -> None:
    # Given two occurrences of "a river" and nothing else that repeats
    words = ["where", "a", "river", "meets", "the", "other", "one", "there", "is", "a", "river", "of", "both"]
    assert most_repeated(words, TOP, DUPLICATED)[0] == 2 * len("a river")
    assert most_repeated(words, TOP, DUPLICATED)[3:] == [0] * 6


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_the_filter_gives_the_results_of_datatrove(pieces: list[str]) -> None:
    text = " ".join(pieces)
    same = [one.filter(Document(text=text, id="")) for one in (Repetition(english_words()), GopherRepetitionFilter())]
    assert same[0] == same[1]
