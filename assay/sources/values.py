"""Read JSON values that are not one a line: an array, values over several lines, or lines ended by carriage returns."""

import codecs
import json
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from assay.sources.damage import in_words
from assay.sources.members import CHUNK
from assay.sources.streams import read_head

LARGEST = 256 * 2**20
"""Largest value in characters. Beyond, a bracket or a quote is taken to be missing."""
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


class BrokenValueError(ValueError):
    """A value that cannot be read, and so nothing behind it either."""


def in_lines(head: bytes, *, whole: bool) -> bool:
    """Return True if a file that begins with these bytes is to be read line by line. `whole`: it ends with them.

    A file is read in lines unless its beginning is an array, or an object that does not end with its first line.
    """
    text = head.lstrip()
    if text[:1] == b"[":
        return False
    line, newline, _ = text.partition(b"\n")
    if not (newline or whole) and b"\r" not in line:
        return True  # the first line is longer than the head
    if text[:1] != b"{" or _is_object(line):
        return True
    characters = text.decode("utf-8", "replace")
    try:
        _, end = _DECODER.raw_decode(characters)
    except (ValueError, RecursionError):
        return True
    return "\n" not in characters[:end] and characters[end : end + 1] not in ("\r", "{")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode("utf-8", "replace")), dict)
    except (ValueError, RecursionError):
        return False


def read_values(file: BufferedReader) -> Iterator[tuple[int, Any]]:
    """Yield the size in characters of each value, and the value: those of top-level arrays, and those outside.

    Raise BrokenValueError at the first one that is not valid JSON.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    text, at, inside, ended, more = "", 0, False, False, CHUNK
    while True:
        while at < len(text) and (text[at] in _SPACE or (inside and text[at] == ",")):
            at += 1
        if at < len(text) and text[at] == ("]" if inside else "["):
            inside, at = not inside, at + 1
            continue
        try:
            if at == len(text):
                raise ValueError("the end of what is read so far")
            value, end = _DECODER.raw_decode(text, at)
            if end == len(text) and not ended and type(value) in (int, float):
                raise ValueError("a number that may go on")
        except RecursionError as error:
            raise BrokenValueError(in_words(error)) from error
        except ValueError as error:
            if ended:
                if at == len(text) and not inside:
                    return
                raise BrokenValueError("the array does not end" if at == len(text) else _words(error)) from error
            if len(text) - at > LARGEST:
                raise BrokenValueError(
                    f"a value does not end within {LARGEST:,} characters: {_words(error)}"
                ) from error
            # Twice as much each time: a value of any size is parsed a few times, and not once for each chunk.
            more = max(CHUNK, len(text) - at)
            data = read_head(file, more)
            ended = not data
            text, at = text[at:] + decode(data, final=ended), 0
            continue
        yield end - at, value
        at = end
        if at > CHUNK:
            text, at = text[at:], 0


def _words(error: ValueError) -> str:
    """Return an error without its place, which is counted from a chunk."""
    return error.msg if isinstance(error, json.JSONDecodeError) else in_words(error)
