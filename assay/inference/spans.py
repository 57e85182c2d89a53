"""The characters of a document that a model reads: what a judge must be shown, so that both see the same text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.inference.encode import window_spans
from assay.lexical import hash_texts
from assay.model import Windows, locate_encoder, quiet_transformers, refuse_own_code

WORDS = "words"
"""Name in place of an encoder: windows are counted in words, as a lexical model counts them."""


@dataclass(frozen=True)
class SpanReader:
    """Cuts texts into the windows that a model with this tokenizer reads."""

    windows: Windows
    tokenizer: Any = None
    """transformers tokenizer. None for windows of words."""

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return (first character, character after the last) of each window, in order, without overlaps.

        Windows that touch, or have white space alone between them, are one span. Raise InputError for a tokenizer
        without offsets.
        """
        found = self._by_words(text) if self.tokenizer is None else window_spans(self.tokenizer, text, self.windows)
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and not text[merged[-1][1] : start].strip():
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return tuple(merged)

    def _by_words(self, text: str) -> Sequence[tuple[int, int]]:
        words = read = 0
        for _, found in hash_texts([text], self.windows.tokens):
            words, read = int(found.words[0]), int(found.read[0])
        # As many characters as the share of the words that is read, as `LexicalReader.windows` gives them.
        return [(0, round(len(text) * read / words) if words else len(text))]


def span_reader(encoder: str, windows: Windows) -> SpanReader:
    """Return the reader for an encoder, as training names it, or for WORDS.

    Raise InputError if the tokenizer cannot be loaded, or for several windows of words.
    """
    if encoder == WORDS:
        if windows.count != 1:
            raise InputError(f"{windows.count} windows of words", fix="A lexical model reads one window: give 1")
        return SpanReader(windows)
    from transformers import AutoTokenizer

    path, revision = locate_encoder(encoder)
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or "main", trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        refuse_own_code(error, encoder)
        raise InputError(
            f"the tokenizer cannot be loaded: {str(error).splitlines()[0]}",
            where=str(Path(encoder)),
            fix="Give a folder with a transformers model, or OWNER/NAME@REVISION of a hub",
        ) from error
    return SpanReader(windows, tokenizer)
