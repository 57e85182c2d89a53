"""Words and sentences of English texts exactly as datatrove finds them, and many times as fast.

datatrove has spaCy's tokenizer forget everything after each document. Here a piece of text between white space is
tokenized once and remembered. That is the same where no rule of the tokenizer reaches across white space; texts in
which one might are tokenized whole.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import spacy
from datatrove.utils.word_tokenizers import WordTokenizer
from spacy.lang.lex_attrs import is_punct
from spacy.pipeline import Sentencizer

REMEMBERED = 1_000_000
"""Characters of pieces, from which all are forgotten: of about 130,000 pieces, which take 80 MB."""
ENDS = frozenset(Sentencizer.default_punct_chars)
NOTHING: frozenset[str] = frozenset()


class _Piece(NamedTuple):
    """What is known of a run of characters without white space."""

    words: list[str]
    last: frozenset[str]
    """What its last word is, with and without the rules, where that could be a word of a rule."""
    joins: frozenset[str]
    """Last words of a piece before it, with which it might make the words of a rule."""


class EnglishWords(WordTokenizer):
    """Takes the place of datatrove's own tokenizer in its filters. What it finds depends on the text alone.

    datatrove's own is not as steady: in the second text that has the word IS_ALPHA it does not find it any more.
    """

    def __init__(self) -> None:
        super().__init__("en")
        self._forget()
        self._before = _neighbours(self._tokenizer, self._plain)
        self._heads = NOTHING.union(*self._before.values())

    def _forget(self) -> None:
        self._known: dict[str, _Piece] = {}
        self._size = 0
        language: Any = spacy.blank("en")
        language.vocab.lex_attr_getters = {}  # shape, likeness to a number and so on of every new word: nobody asks
        self._tokenizer: Any = language.tokenizer
        self._plain: Any = _without_rules(self._tokenizer)

    def _learn(self, texts: Sequence[str]) -> None:
        # A line break is a word of its own, across which no rule reaches.
        lines = "\n".join(texts)
        self._size += len(lines)
        plains = _lines(self._plain("\n".join(text for text in texts if not _is_word(text))))
        for text, words in zip(texts, _lines(self._tokenizer(lines)), strict=True):
            plain = [text] if _is_word(text) else next(plains)
            joins = self._before.get(words[0], NOTHING) | self._before.get(plain[0], NOTHING)
            self._known[text] = _Piece(words, self._heads & {words[-1], plain[-1]}, joins)

    def _words(self, texts: Sequence[str]) -> list[list[str]] | None:
        """Of each of these pieces, one after the other; None where a rule might reach from one into the next."""
        if self._size > REMEMBERED:
            self._forget()
        known = self._known
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            self._learn(missing)
        found = []
        last = NOTHING
        for text in texts:
            words, next_last, joins = known[text]
            if joins and not joins.isdisjoint(last):
                return None
            last = next_last
            found.append(words)
        return found

    def _placed(self, text: str) -> Iterator[tuple[int, str]]:
        """Where each word begins, and the word; white space other than single spaces counts as words."""
        pieces = text.split(" ")
        found = self._words(pieces) if pieces == text.split() else None
        if found is None:
            yield from ((token.idx, token.text) for token in self._tokenizer(text))
            return
        at = 0
        for words in found:
            for word in words:
                yield at, word
                at += len(word)
            at += 1

    def word_tokenize(self, text: str) -> list[str]:
        found = self._words(text.split())
        if found is None:
            return [word for token in self._tokenizer(text) if (word := token.text.strip())]
        return list(itertools.chain.from_iterable(found))

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Where sentences begin and end."""
        spans = []
        start = stop = 0
        ended = False
        for at, word in self._placed(text):
            if word in ENDS:
                ended = True
            elif ended and not is_punct(word):
                spans.append((start, stop))
                start, ended = at, False
            stop = at + len(word)
        return [*spans, (start, stop)] if stop else []

    def sent_tokenize(self, text: str) -> list[str]:
        return [sentence for start, stop in self.span_tokenize(text) if (sentence := text[start:stop].strip())]


@lru_cache(maxsize=1)
def english_words() -> EnglishWords:
    """One a process: datatrove's caches hold on to every one that they were given."""
    return EnglishWords()


def _lines(tokens: Any) -> Iterator[list[str]]:
    """The words of each line."""
    words: list[str] = []
    for token in tokens:
        word = token.text
        if word == "\n":
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _is_word(text: str) -> bool:
    """Whether only a rule can divide it (`cannot`)."""
    return text.isascii() and text.isalpha()


def _without_rules(tokenizer: Any) -> Any:
    return type(tokenizer)(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
    )


def _neighbours(tokenizer: Any, plain: Any) -> dict[str, frozenset[str]]:
    """By word: which words may stand before it where a rule makes something else of several words.

    spaCy looks for the words of a rule (`:` and `)` of a smile) wherever they stand side by side, and only then whether
    there is a space between. Such a find is no match, but it hides matches that overlap with it.
    """
    before = defaultdict(set)
    for rule in tokenizer.rules:
        words = [token.text for token in plain(rule)]
        for one, two in itertools.pairwise(words):
            before[two].add(one)
    return {two: frozenset(ones) for two, ones in before.items()}
