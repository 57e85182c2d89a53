"""From a text to the windows of tokens that the model reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.model import Windows


@dataclass(frozen=True)
class EncodedText:
    """One document as the model sees it."""

    windows: tuple[tuple[int, ...], ...]
    """Token ids of each window, special tokens included; at least one window, even for an empty text."""
    tokens: int
    """Tokens of the whole document, without special ones."""
    read: int
    """Tokens of the document that lie in some window."""


def window_starts(tokens: int, size: int, count: int) -> list[int]:
    """Where windows of `size` tokens begin in a document of `tokens`, at most `count` of them.

    A document that they can cover is cut end to end; of a longer one they take the beginning, the end, and
    places evenly spread between (the beginning alone where `count` is 1).
    """
    if tokens <= size:
        return [0]
    if count == 1:
        return [0]
    if tokens <= size * count:
        return list(range(0, tokens, size))
    return [int(start) for start in np.linspace(0, tokens - size, count).round()]


def _special(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after a text; read off an example, which works for every family."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    at = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:at], whole[at + len(bare) :]


def _clean(text: str) -> str:
    """One `?` for each lone surrogate, as UTF-8 has no place for them: positions stay what they were."""
    return text.encode("utf-8", "replace").decode("utf-8")


def encode(tokenizer: Any, texts: Sequence[str], windows: Windows) -> list[EncodedText]:
    """Tokenize texts and cut them into windows. Lone surrogates are read as `?`, as UTF-8 has no place for them."""
    if not texts:
        return []
    before, after = _special(tokenizer)
    size = windows.tokens - len(before) - len(after)
    clean = [_clean(text) for text in texts]
    encoded = []
    # verbose=False: a text longer than the encoder is what windows are for, not a reason to warn.
    for ids in tokenizer(clean, add_special_tokens=False, verbose=False)["input_ids"]:
        starts = window_starts(len(ids), size, windows.count)
        pieces = [ids[start : start + size] for start in starts]
        read = len(
            {
                position
                for start, piece in zip(starts, pieces, strict=True)
                for position in range(start, start + len(piece))
            }
        )
        encoded.append(EncodedText(tuple((*before, *piece, *after) for piece in pieces), len(ids), read))
    return encoded


def window_spans(tokenizer: Any, text: str, windows: Windows) -> list[tuple[int, int]]:
    """First character and the one after the last of each window that `encode` cuts this text into.

    Raises InputError for a tokenizer without offsets (one not written in Rust).
    """
    if not tokenizer.is_fast:
        raise InputError("this encoder's tokenizer does not tell which characters it read", fix="Use a fast tokenizer")
    before, after = _special(tokenizer)
    size = windows.tokens - len(before) - len(after)
    given = tokenizer(_clean(text), add_special_tokens=False, verbose=False, return_offsets_mapping=True)
    offsets = given["offset_mapping"]
    if not offsets:
        return [(0, 0)]
    starts = window_starts(len(offsets), size, windows.count)
    return [(offsets[start][0], offsets[min(start + size, len(offsets)) - 1][1]) for start in starts]
