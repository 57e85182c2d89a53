"""Find the end of a zstd frame without unpacking it, by the sizes of its blocks (RFC 8878, section 3.1)."""

import io
from collections.abc import Callable

MAGIC = 0xFD2FB528
SKIPPABLE = 0x184D2A5D
"""Kind of the skippable frame that holds the dictionary of an archive."""
LARGEST_DICTIONARY = 64 * 2**20
"""Content of a skippable frame that is kept, in bytes."""
PIECE = 2**16
ID_BYTES = (0, 1, 2, 4)
SIZE_BYTES = (0, 2, 4, 8)
RLE, RESERVED = 1, 3


class Frame:
    """A file with the bytes of one frame and nothing behind it. Enough of a file for the reader of fastwarc."""

    def __init__(self, take: Callable[[int], bytes]) -> None:
        """`take` returns the next bytes of the archive, up to a number of them; empty at its end."""
        self._take = take
        self._pending = bytearray()
        self._given = 0
        self._left = 0
        self._last = False
        self._checksum = 0
        self.done = False
        self.cut = False
        """True if the archive ends within the frame."""
        self.kind = int.from_bytes(self._next(4), "little")
        if self.skippable:
            self._left, self._last = int.from_bytes(self._next(4), "little"), True
        elif self.kind == MAGIC:
            self._begin()
        else:
            self.done = True

    @property
    def skippable(self) -> bool:
        """Return True for a frame of user data."""
        return self.kind & ~0xF == SKIPPABLE & ~0xF

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the frame, as it is packed."""
        while not self._pending and not self.done:
            self._advance()
        found = bytes(self._pending[:size] if size >= 0 else self._pending)
        del self._pending[: len(found)]
        self._given += len(found)
        return found

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._given

    def content(self) -> bytes:
        """Take a skippable frame, and return its content; nothing if that is larger than LARGEST_DICTIONARY."""
        kept = io.BytesIO()
        self._pending.clear()
        while data := self.read(PIECE):
            if kept.tell() + len(data) <= LARGEST_DICTIONARY:
                kept.write(data)
        return kept.getvalue()

    def _next(self, count: int) -> bytes:
        """Take exactly so many bytes and pass them on; fewer at the end of the archive."""
        found = b""
        while len(found) < count and not self.cut:
            more = self._take(count - len(found))
            self.cut = not more
            found += more
        self._pending += found
        self.done = self.done or self.cut
        return found

    def _begin(self) -> None:
        descriptor = int.from_bytes(self._next(1), "little")
        single = descriptor >> 5 & 1
        size = SIZE_BYTES[descriptor >> 6] or single
        self._checksum = 4 * (descriptor >> 2 & 1)
        self._next((1 - single) + ID_BYTES[descriptor & 3] + size)

    def _advance(self) -> None:
        if self._left:
            self._left -= len(self._next(min(self._left, PIECE)))
        elif self._last:
            self._next(self._checksum)
            self.done = True
        else:
            header = int.from_bytes(self._next(3), "little")
            self._last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
            self._left = 1 if kind == RLE else size
            self.done = self.done or kind == RESERVED


def unpack_dictionary(content: bytes) -> bytes:
    """Return the dictionary of an archive. It may be packed itself."""
    from fastwarc.stream_io import ZstdReader

    packed = content.startswith(MAGIC.to_bytes(4, "little"))
    return bytes(ZstdReader(io.BytesIO(content)).read()) if packed else content
