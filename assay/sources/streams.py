"""Open files as streams of UTF-8: packed or not, in the encodings of Unicode. The content decides, not the name."""

import bz2
import codecs
import io
import lzma
from typing import Any, cast

import pyarrow as pa

from assay.sources.members import CHUNK

PIECE = 2**16
"""Unpacked bytes that may be lost before damage."""
PACKINGS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
"""Endings of compressed files."""
_MAGIC = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd", "bz2": b"BZh", "xz": b"\xfd7zXZ\x00"}
_BZ2_BLOCK = b"1AY&SY"
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Byte order marks, and the encodings that they stand for."""


class Rejoined(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or getattr(self._rest, "read1", self._rest.read)(len(buffer))
        self._head = self._head[len(data) :] if self._head else b""
        buffer[: len(data)] = data
        return len(data)


class Steady(io.RawIOBase):
    """An unpacked stream in small pieces. An error comes after all that was read before, and again at each read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._error:
            raise self._error
        try:
            data = self._file.read(min(len(buffer), PIECE))
        except Exception as error:
            self._error = error
            raise
        buffer[: len(data)] = data
        return len(data)


class _Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8. What is no character becomes U+FFFD."""

    def __init__(self, file: Any, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            raw = getattr(self._file, "read1", self._file.read)(CHUNK)
            self._ready = self._decoder.decode(raw, final=not raw).encode("utf-8", "replace")
            if not raw and not self._ready:
                return 0
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class WrongPackingError(ValueError):
    """A file whose name states a packing that its content does not have, and whose content is of no other use."""


def unpacked(file: Any, path: str, begins: bytes) -> Any:
    """Return the content of a file, unpacked by what its first bytes say.

    Downloads often unpack a file and keep its name. Then it is read as it is, if its first byte is one of `begins`; any
    byte if that is empty. Raise WrongPackingError otherwise.
    """
    head, whole = peeked(file, 10)
    if packing := packing_of(head):
        # pyarrow is the fastest for what it reads. Its bz2 is not asked for: Python's is as fast.
        openers = {"gzip": _by_arrow("gzip"), "zstd": _by_arrow("zstd"), "bz2": bz2.BZ2File, "xz": lzma.LZMAFile}
        return io.BufferedReader(cast(Any, Steady(openers[packing](cast(Any, whole)))), CHUNK)
    stated = stated_packing(path)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if stated and text and begins and text[0] not in begins and not head.startswith(tuple(_MARKS)):
        raise WrongPackingError(f"it is no {stated}, as its name says, but begins with {head[:8]!r}")
    return whole


def stated_packing(path: str) -> str:
    """Return the packing that the name of a file states; empty if it states none."""
    return next((packing for ending, packing in PACKINGS.items() if path.lower().endswith(ending)), "")


def packing_of(head: bytes) -> str:
    """Return the packing of a file by its first ten bytes; empty if they are of none."""
    found = next((packing for packing, magic in _MAGIC.items() if head.startswith(magic)), "")
    return "" if found == "bz2" and head[4:10] != _BZ2_BLOCK else found


def _by_arrow(packing: str) -> Any:
    return lambda file: pa.CompressedInputStream(file, packing)


def in_utf8(file: Any) -> Any:
    """Return a text file in UTF-8 without byte order mark.

    UTF-16 and UTF-32 are known by their mark. Without one, a NUL beside the first character, which is ASCII in JSON and
    CSV, shows the order of bytes (RFC 4627, section 3).
    """
    head, whole = peeked(file, 4)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "utf-8")
    if not mark and len(head) == 4:
        nulls = "".join(".0"[byte == 0] for byte in head)
        orders = {".0.0": "utf-16-le", "0.0.": "utf-16-be", ".000": "utf-32-le", "000.": "utf-32-be"}
        encoding = orders.get(nulls, "utf-8")
    read_head(whole, len(mark))
    return whole if encoding == "utf-8" else io.BufferedReader(cast(Any, _Recoded(whole, encoding)), CHUNK)


def peeked(file: Any, count: int) -> tuple[bytes, Any]:
    """Return the first bytes of a stream, and a buffered stream that begins with them."""
    start = file.tell() if file.seekable() else None
    head = read_head(file, count)
    if start is not None:
        file.seek(start)
        # Without a large buffer, an fsspec file copies a whole block of a remote file for each line.
        return head, file if isinstance(file, io.BufferedReader) else io.BufferedReader(file, CHUNK)
    return head, io.BufferedReader(cast(Any, Rejoined(head, file)), CHUNK)


def read_head(file: Any, count: int) -> bytes:
    """Return the first bytes of a stream; fewer if it is shorter."""
    head = b""
    read = getattr(file, "read1", file.read)  # not more than one piece, so that an error costs nothing before it
    while len(head) < count:
        try:
            more = read(count - len(head))
        except Exception:
            if head and isinstance(file, io.BufferedReader):
                return head  # the next read raises it again
            raise
        if not more:
            break
        head += more
    return head


def read_text(data: bytes) -> str:
    """Return a small text file in any encoding of Unicode, without its mark. Raise UnicodeDecodeError for others."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    return data[len(mark) :].decode(_MARKS.get(mark, "utf-8"))
