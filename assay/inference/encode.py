"""Cut a text into the windows of tokens that the model reads."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.model import Windows


@dataclass(frozen=True)
class EncodedText:
    """One document as token ids."""

    windows: tuple[tuple[int, ...], ...]
    """Token ids of each window, with special tokens. At least one window, even for an empty text."""
    tokens: int
    """Tokens of the whole document, without special tokens."""
    read: int
    """Tokens of the document that are in at least one window."""


def window_starts(tokens: int, size: int, count: int) -> list[int]:
    """Return the first token of each window of `size` tokens in a document of `tokens`; at most `count` windows.

    If the windows can cover the document, they are consecutive. Otherwise they are at the beginning, at the end, and
    evenly spaced between; a single window is at the beginning.
    """
    if tokens <= size or count == 1:
        return [0]
    if tokens <= size * count:
        return list(range(0, tokens, size))
    return [int(start) for start in np.linspace(0, tokens - size, count).round()]


def _special(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before and after a text."""
    # Read off an example: families of tokenizers configure their special tokens in different ways.
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    at = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:at], whole[at + len(bare) :]


def _clean(text: str) -> str:
    """Replace each lone surrogate, which UTF-8 cannot encode, by one `?`. Positions of characters do not change."""
    return text.encode("utf-8", "replace").decode("utf-8")


def encode(tokenizer: Any, texts: Sequence[str], windows: Windows) -> list[EncodedText]:
    """Tokenize texts and cut them into windows. Lone surrogates are read as `?`."""
    if not texts:
        return []
    before, after = _special(tokenizer)
    size = windows.tokens - len(before) - len(after)
    clean = [_clean(text) for text in texts]
    encoded = []
    # verbose=False: the tokenizer warns of texts longer than the encoder reads, which windows take care of.
    for ids in tokenizer(clean, add_special_tokens=False, verbose=False)["input_ids"]:
        starts = window_starts(len(ids), size, windows.count)
        pieces = [ids[start : start + size] for start in starts]
        # Windows of a document that they cannot cover may overlap: of each but the last, count what the next leaves.
        steps = [after - start for start, after in itertools.pairwise(starts)]
        read = sum(min(len(piece), step) for piece, step in zip(pieces, [*steps, size], strict=True))
        encoded.append(EncodedText(tuple((*before, *piece, *after) for piece in pieces), len(ids), read))
    return encoded


def window_spans(tokenizer: Any, text: str, windows: Windows) -> list[tuple[int, int]]:
    """Return (first character, character after the last) of each window that `encode` cuts this text into.

    Raise InputError for a tokenizer without offsets (one not written in Rust).
    """
    if not tokenizer.is_fast:
        raise InputError("this encoder's tokenizer gives no character offsets", fix="Use a fast tokenizer")
    before, after = _special(tokenizer)
    size = windows.tokens - len(before) - len(after)
    given = tokenizer(_clean(text), add_special_tokens=False, verbose=False, return_offsets_mapping=True)
    offsets = given["offset_mapping"]
    if not offsets:
        return [(0, 0)]  # an empty text still has one window, of special tokens
    starts = window_starts(len(offsets), size, windows.count)
    return [(offsets[start][0], offsets[min(start + size, len(offsets)) - 1][1]) for start in starts]
