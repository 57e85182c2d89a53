"""Changes of a document in one respect. Equal ids and seeds give equal changes."""

import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np

Perturbation = Callable[[str, str, int], str]
"""(text, id, seed) -> text."""

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*[\r\n]+\s*")
WORD = re.compile(r"\S+\s*")

BOILERPLATE = (
    "We use cookies to give you the best experience on our website. Accept all | Settings",
    "Home | About us | Products | Blog | Contact",
    "Skip to main content",
    "Sign up for our newsletter and never miss an update!",
    "Share this page: Facebook Twitter LinkedIn E-mail",
    "Log in or create an account to leave a comment.",
    "All rights reserved. Terms of use | Privacy policy | Imprint",
    "You may also like: Related posts | Popular this week | Archive",
    "Your browser does not support this feature. Please enable JavaScript.",
    "Free shipping on all orders over 50. Subscribe and save 10 %.",
)
"""Lines that extraction leaves of a page around its text. They were written for this project."""
BOILERPLATE_LINES = 5
"""Number of these lines drawn for each document."""
# About 45 words: a sixth of a window of 256 tokens.
WORDS_A_KEYWORD = 8
"""Number of the document's words for each keyword that is inserted."""
# One word in nine is a keyword, as in a page made for search engines. A reader of such a page sees at once what it is.


def generator_of(identity: str, seed: int, purpose: str) -> np.random.Generator:
    """Return a generator of random numbers that depends on these three values alone."""
    # An id may hold a lone surrogate, which strict UTF-8 refuses.
    key = f"{purpose} {seed} {identity}".encode("utf-8", "surrogatepass")
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big"))


def sentences(text: str) -> list[str]:
    """Return the pieces between ends of sentences and of lines. An abbreviation ends a sentence too: harmless here."""
    return [piece for piece in (part.strip() for part in SENTENCE_END.split(text)) if piece]


def shuffle_sentences(text: str, identity: str, seed: int) -> str:
    """Return the same sentences in another order."""
    pieces = sentences(text)
    order = generator_of(identity, seed, "sentences").permutation(len(pieces))
    shuffled = [pieces[place] for place in order]
    # A piece without a full stop, such as a heading, keeps a line of its own: otherwise it would join its neighbour.
    ends = [" " if piece[-1] in ".!?" else "\n" for piece in shuffled]
    return "".join(piece + end for piece, end in zip(shuffled, ends, strict=True)).strip()


def _boilerplate(identity: str, seed: int) -> str:
    chosen = generator_of(identity, seed, "boilerplate").permutation(len(BOILERPLATE))[:BOILERPLATE_LINES]
    return "\n".join(BOILERPLATE[place] for place in chosen)


def boilerplate_before(text: str, identity: str, seed: int) -> str:
    """Return navigation, cookie notices and the like, followed by the unchanged text."""
    return f"{_boilerplate(identity, seed)}\n\n{text}"


def boilerplate_after(text: str, identity: str, seed: int) -> str:
    """Return the unchanged text, followed by navigation, cookie notices and the like."""
    return f"{text}\n\n{_boilerplate(identity, seed)}"


def code_fence(text: str, _identity: str, _seed: int) -> str:
    """Return the text as a block of code in Markdown."""
    return f"```\n{text}\n```"


def upper_case(text: str, _identity: str, _seed: int) -> str:
    """Return the text in capitals."""
    return text.upper()


def _middle(text: str) -> int:
    """Return the start of the word nearest to the middle, or the middle itself if the text is one word."""
    starts = [match.start() for match in WORD.finditer(text)][1:]
    return min(starts, key=lambda start: abs(start - len(text) / 2)) if starts else len(text) // 2


def first_half(text: str, _identity: str, _seed: int) -> str:
    """Return the text up to the word at the middle."""
    return text[: _middle(text)]


def second_half(text: str, _identity: str, _seed: int) -> str:
    """Return the text from the word at the middle: a document that begins in the middle."""
    return text[_middle(text) :]


def stuff_keywords(words: Sequence[str]) -> Perturbation:
    """Return a perturbation that inserts a random one of `words` before every eighth word of the document."""

    def stuff(text: str, identity: str, seed: int) -> str:
        if not words:
            return text
        drawn = generator_of(identity, seed, "keywords")
        pieces = WORD.findall(text)
        lead = text[: len(text) - len("".join(pieces))]
        chosen = drawn.choice(len(words), size=len(pieces))
        stuffed = [
            f"{words[chosen[place]]} {piece}" if place % WORDS_A_KEYWORD == 0 else piece
            for place, piece in enumerate(pieces)
        ]
        return lead + "".join(stuffed)

    return stuff


PERTURBATIONS: dict[str, Perturbation] = {
    "sentences_shuffled": shuffle_sentences,
    "boilerplate_before": boilerplate_before,
    "boilerplate_after": boilerplate_after,
    "code_fence": code_fence,
    "upper_case": upper_case,
    "first_half": first_half,
    "second_half": second_half,
}
"""Name -> perturbation, for those that need nothing but the document."""
