"""Split English texts into the same words and sentences as datatrove, in a fraction of the time.

datatrove clears spaCy's tokenizer after each document. Here each piece of text between white space is tokenized once
and remembered. The result is the same if no rule of the tokenizer reaches across white space. Texts in which a rule
might do so are tokenized whole.
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
"""Characters of remembered pieces above which all are forgotten. They are about 130,000 pieces, which take 80 MB."""
ENDS = frozenset(Sentencizer.default_punct_chars)
NOTHING: frozenset[str] = frozenset()


class _Piece(NamedTuple):
    """A run of characters without white space."""

    words: list[str]
    """Words of the piece."""
    last: frozenset[str]
    """Last word, with and without the rules of the tokenizer, if a rule of several words may start with it."""
    joins: frozenset[str]
    """Last words of a preceding piece with which this piece might complete the words of a rule."""


class EnglishWords(WordTokenizer):
    """Tokenizer for datatrove's filters, in place of their own. Its result depends on the text only.

    With datatrove's tokenizer it does not: in the second text that has the word IS_ALPHA, that word is not found.
    """

    def __init__(self) -> None:
        super().__init__("en")
        self._forget()
        self._before = _neighbours(self._tokenizer, self._plain)
        self._heads = NOTHING.union(*self._before.values())

    def _forget(self) -> None:
        self._known: dict[str, _Piece] = {}
        self._size = 0
        # The tokenizer is replaced with the pieces, since the vocabulary of spaCy only grows.
        language: Any = spacy.blank("en")
        # Without this, spaCy computes attributes of every new word (shape, likeness to a number) that are not used.
        language.vocab.lex_attr_getters = {}
        self._tokenizer: Any = language.tokenizer
        self._plain: Any = _without_rules(self._tokenizer)

    def _learn(self, texts: Sequence[str]) -> None:
        # A line break is a word by itself that no rule crosses, so that all pieces are tokenized in one call.
        lines = "\n".join(texts)
        self._size += len(lines)
        plains = _lines(self._plain("\n".join(text for text in texts if not _is_word(text))))
        for text, words in zip(texts, _lines(self._tokenizer(lines)), strict=True):
            plain = [text] if _is_word(text) else next(plains)
            joins = self._before.get(words[0], NOTHING) | self._before.get(plain[0], NOTHING)
            self._known[text] = _Piece(words, self._heads & {words[-1], plain[-1]}, joins)

    def _words(self, texts: Sequence[str]) -> list[list[str]] | None:
        """Return the words of each piece, or None if a rule might reach from one piece into the next."""
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
        """Yield (start, word). White space other than single spaces counts as words."""
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
        """Return the words of a text, as datatrove's method of this name."""
        found = self._words(text.split())
        if found is None:
            return [word for token in self._tokenizer(text) if (word := token.text.strip())]
        return list(itertools.chain.from_iterable(found))

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) of each sentence, as datatrove's method of this name."""
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
        """Return the sentences of a text, as datatrove's method of this name."""
        return [sentence for start, stop in self.span_tokenize(text) if (sentence := text[start:stop].strip())]


@lru_cache(maxsize=1)
def english_words() -> EnglishWords:
    """Return the tokenizer of this process. There is only one, since datatrove's caches keep every one in memory."""
    return EnglishWords()


def _lines(tokens: Any) -> Iterator[list[str]]:
    """Yield the words of each line."""
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
    """Return True if only a rule of the tokenizer can divide the text, as for `cannot`."""
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
    """Return, for each word, the words that may precede it within a rule of several words.

    spaCy first searches for the words of a rule next to each other (`:` and `)` of a smile), and then checks for a
    space between them. A find with a space is no match, but it hides matches that overlap with it.
    """
    before = defaultdict(set)
    for rule in tokenizer.rules:
        words = [token.text for token in plain(rule)]
        for one, two in itertools.pairwise(words):
            before[two].add(one)
    return {two: frozenset(ones) for two, ones in before.items()}
