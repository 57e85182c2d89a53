"""Clean one document at a time: repair, language, the quality filters of FineWeb, masking. Every drop has a reason.

The filters are those of datatrove, with which FineWeb was made, in FineWeb's order and with its settings: Gopher's
repetition and quality rules (Rae et al. 2021), C4's rules (Raffel et al. 2020), FineWeb's own (Penedo et al. 2024).
datatrove gives the reason of a drop. This module adds the value that failed, computed for dropped documents only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from assay.errors import InputError
from assay.language import CERTAIN, identify_language
from assay.storage import only_known_fields


@only_known_fields
@dataclass(frozen=True)
class CleanConfig:
    """Steps of cleaning a document."""

    repair: bool = False
    """Repair broken encodings (`FranÃ§ois`) and drop control characters, by ftfy with FineWeb's settings."""
    languages: tuple[str, ...] = ()
    """Languages to keep (ISO 639). Empty: all."""
    language_probability: float = CERTAIN
    """Smallest probability of the language, from 0 to 1. Applies if `languages` is given."""
    filters: bool = False
    """Apply the filters of Gopher, C4 and FineWeb, which are made for English."""
    mask: bool = False
    """Replace e-mail addresses and public IP addresses by placeholders."""
    mark: bool = False
    """Mark documents that fail a quality filter, in columns `mark_…`, instead of dropping them."""

    def __post_init__(self) -> None:
        if not 0 <= self.language_probability <= 1:
            raise InputError(f"language_probability is {self.language_probability:g}", fix="Give 0 to 1")
        if self.filters and self.languages != ("en",):
            raise InputError(
                "the quality filters work for English only", fix="Keep only the language en, or turn the filters off"
            )
        if self.mark and not self.filters:
            raise InputError("mark without filters", fix="Give --preset fineweb or --filters, or leave --mark out")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. What came later is in it where it is used, so that older pieces are reused."""
        fields = {**asdict(self), "languages": list(self.languages)}
        if not self.mark:
            del fields["mark"]
        return fields


PRESETS: Mapping[str, CleanConfig] = {
    "none": CleanConfig(),
    "fineweb": CleanConfig(repair=True, languages=("en",), filters=True, mask=True),
}
"""Presets by name. `none` changes nothing. `fineweb` is the recipe of FineWeb without its list of blocked URLs."""


def preset(name: str) -> CleanConfig:
    """Return the configuration of a preset. Raise InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r} of cleaning", fix=f"Name one of: {', '.join(PRESETS)}")
    return PRESETS[name]


MARKS = {
    "Gopher repetition": "mark_gopher_repetition",
    "Gopher quality": "mark_gopher_quality",
    "C4": "mark_c4",
    "FineWeb": "mark_fineweb",
}
"""Rule -> column that is true for documents that fail it, where filters mark."""


@dataclass(frozen=True)
class Cleaned:
    """Result of cleaning a document."""

    text: str
    """Cleaned text. For a dropped document, the repaired text."""
    language: str
    """ISO 639 code of the most probable language; empty if the text has too few letters."""
    language_probability: float
    """Probability of that language, from 0 to 1."""
    reason: str = ""
    """Reason of the drop, `rule: what failed`; empty if the document is kept."""
    value: float | None = None
    """Value that failed, in the unit of the rule. None for rules without a number."""
    marks: tuple[str, ...] = ()
    """Columns of MARKS of the rules that failed, where filters mark instead of drop."""


class Cleaner:
    """Clean documents. The result of a document does not depend on the documents before it."""

    def __init__(self, config: CleanConfig) -> None:
        self.config = config
        self._filters = _filters() if config.filters else []
        self._repairer = _repairer() if config.repair else None

    def clean(self, text: str) -> Cleaned:
        """Return the cleaned text, or the reason to drop it. Any str is accepted, lone surrogates included."""
        if self._repairer:
            text = str(self._repairer.format(text))
        if not text.strip():
            return Cleaned(text, "", 0.0, "no text")
        language = identify_language(text)
        kept = partial(Cleaned, language=language.code, language_probability=language.probability)
        if self.config.languages and language.code not in self.config.languages:
            return kept(text, reason=f"language: {language.code or 'unknown'}", value=language.probability)
        if self.config.languages and language.probability < self.config.language_probability:
            return kept(text, reason="language: uncertain", value=language.probability)
        rest, marked = text, []
        for rule, one in self._filters:
            document = _document(rest)
            result = one.filter(document)
            passed, why = result if isinstance(result, tuple) else (result, "")
            if not passed and self.config.mark:
                marked.append(MARKS[rule])
                continue  # with the text as it was before: a filter that fails may have changed it
            if not passed:
                why = why.removeprefix("gopher_")
                return kept(text, reason=f"{rule}: {why.replace('_', ' ')}", value=_measure(one, why, rest))
            rest = document.text  # C4's rules also drop lines, and the filters after it see the shorter text
        return kept(_mask(rest) if self.config.mask else rest, marks=tuple(marked))


def _document(text: str) -> Any:
    from datatrove.data import Document

    return Document(text=text, id="")


def _filters() -> list[tuple[str, Any]]:
    """Return FineWeb's filters in their order, as (name of their source, filter)."""
    # Imported here, so that a run without filters loads neither datatrove nor spaCy.
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
    )

    from assay.cleaning.repetition import Repetition
    from assay.cleaning.words import english_words

    words: Any = english_words()
    # FineWeb leaves out C4's rule on terminal punctuation, which drops about 30 % of the tokens (Penedo et al. 2024).
    return [
        ("Gopher repetition", Repetition(words)),
        ("Gopher quality", GopherQualityFilter(language=words)),
        ("C4", C4QualityFilter(filter_no_terminal_punct=False, language=words)),
        ("FineWeb", FineWebQualityFilter(language=words)),
    ]


def _repairer() -> Any:
    from datatrove.pipeline.formatters import FTFYFormatter

    return FTFYFormatter()


def _mask(text: str) -> str:
    from datatrove.pipeline.formatters import PIIFormatter

    # A new formatter for each document: it cycles through its placeholders, so that one shared by documents would make
    # the result depend on the documents before.
    return str(PIIFormatter().format(text))


def _measure(one: Any, why: str, text: str) -> float | None:
    """Return the value that a filter compared with its limit. `why` is the name of the rule that failed."""
    if match := re.fullmatch(r"top_(\d+)_gram|duplicated_(\d+)_n_grams", why):
        top, duplicated = match.groups()
        return _top_share(one, text, int(top)) if top else _duplicated_share(one, text, int(duplicated))
    measure = MEASURES.get(why)
    return None if measure is None else float(measure(one, text))


def _words(one: Any, text: str) -> list[str]:
    from datatrove.utils.text import split_into_words

    return list(split_into_words(text, one.language))


def _proper(one: Any, text: str) -> list[str]:
    """Return the words that have a character besides punctuation."""
    from datatrove.utils.text import PUNCTUATION_SET

    return [word for word in _words(one, text) if any(character not in PUNCTUATION_SET for character in word)]


def _top_share(one: Any, text: str, n: int) -> float:
    from datatrove.pipeline.filters.gopher_repetition_filter import find_top_duplicate, get_n_grams

    return float(find_top_duplicate(get_n_grams(_words(one, text), n)) / len(text))


def _duplicated_share(one: Any, text: str, n: int) -> float:
    from datatrove.pipeline.filters.gopher_repetition_filter import find_all_duplicate

    return float(find_all_duplicate(_words(one, text), n) / len(text))


def _repeated(parts: list[str], characters: int | None = None) -> float:
    """Return the share of parts that repeat an earlier one, or their share of `characters` if given."""
    from datatrove.pipeline.filters.gopher_repetition_filter import find_duplicates

    count, length = find_duplicates(parts)
    return float(length / characters if characters else count / len(parts))


def _share(parts: list[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, parts)) / max(len(parts), 1)


def _filled(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _ends_open(line: str) -> bool:
    return line.rstrip().endswith(("...", "…"))


# Each measure repeats the expression of datatrove's rule, since its filters do not return the value that they compare.
MEASURES: Mapping[str, Callable[[Any, str], float]] = {
    "dup_para_frac": lambda one, text: _repeated(one.paragraph_exp.split(text.strip())),
    "dup_para_char_frac": lambda one, text: _repeated(one.paragraph_exp.split(text.strip()), len(text)),
    "dup_line_frac": lambda _, text: _repeated(re.split("\n+", text)),
    "dup_line_char_frac": lambda _, text: _repeated(re.split("\n+", text), len(text)),
    "short_doc": lambda one, text: len(_proper(one, text)),
    "long_doc": lambda one, text: len(_proper(one, text)),
    "below_avg_threshold": lambda one, text: _mean_length(_proper(one, text)),
    "above_avg_threshold": lambda one, text: _mean_length(_proper(one, text)),
    "too_many_hashes": lambda one, text: text.count("#") / len(_words(one, text)),
    "too_many_ellipsis": lambda one, text: (text.count("...") + text.count("…")) / len(_words(one, text)),
    "too_many_bullets": lambda _, text: _share(text.splitlines(), lambda line: line.lstrip().startswith(("•", "-"))),
    "too_many_end_ellipsis": lambda _, text: _share(text.splitlines(), _ends_open),
    "below_alpha_threshold": lambda one, text: _share(_words(one, text), lambda word: any(map(str.isalpha, word))),
    "enough_stop_words": lambda one, text: len(one.stop_words & set(_words(one, text))),
    "line_punct_ratio": lambda one, text: _share(_filled(text), lambda line: line.endswith(one.stop_chars)),
    "short_line_ratio": lambda one, text: _share(_filled(text), lambda line: len(line) <= one.short_line_length),
    "char_dup_ratio": lambda _, text: _repeated(_filled(text), len(text.replace("\n", ""))),
    "list_ratio": lambda one, text: text.count("\n") / len(_words(one, text)),
}
"""Measures by datatrove's names of the rules. Shares are of lines, words or characters, as in the rule."""


def _mean_length(words: list[str]) -> float:
    return sum(map(len, words)) / max(len(words), 1)
