"""Unpack gzip and zstd files member by member, as web archives are packed, so that damage costs only one member.

A member is a gzip member (RFC 1952) or a zstd frame (RFC 8878). Archives have one for each record; but a file that is
packed as a whole is one member, of any size. So members are unpacked piece by piece.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from assay.sources.damage import Damage, in_words
from assay.sources.frames import SKIPPABLE, Frame, unpack_dictionary

CHUNK = 2**20
"""Largest piece in bytes."""
KEPT = 64 * 2**20
"""Packed bytes that are kept of a member, to search for the next one behind damage in it."""


@dataclass(frozen=True)
class Piece:
    """Unpacked bytes of a member."""

    member: int
    """Offset of the member in the file."""
    data: bytes


@dataclass(frozen=True)
class Whole:
    """The end of a member that could be unpacked, with the right checksum."""


@dataclass(frozen=True)
class Broken:
    """The end of a member that is damaged, after the pieces that could be unpacked."""

    damage: Damage
    cut: bool
    """True if the file ends within the member: then everything before is right."""


Event = Piece | Whole | Broken


class FaultError(Exception):
    """A member that cannot be unpacked. `cut`: the file ends within it."""

    def __init__(self, what: str, *, cut: bool = False) -> None:
        super().__init__(what)
        self.cut = cut


class Window:
    """The packed bytes of a file from the start of a member."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._raw = bytearray()
        self._start = 0
        self._at = 0

    @property
    def start(self) -> int:
        """Return the offset of the member in the file."""
        return self._start

    @property
    def left(self) -> int:
        """Return the number of bytes that are read from the file and not taken."""
        return len(self._raw) - self._at

    def begins(self, count: int) -> bytes:
        """Return the next bytes without taking them; fewer at the end of the file."""
        while self.left < count and self._fill():
            pass
        return bytes(self._raw[self._at : self._at + count])

    def take(self, most: int) -> bytes:
        """Take the next bytes, at least one unless the file is at its end."""
        if not self.left:
            self._fill()
        found = bytes(self._raw[self._at : self._at + most])
        self._at += len(found)
        if self._at > KEPT:
            self._drop(self._at - KEPT)
        return found

    def give_back(self, count: int) -> None:
        """Undo the taking of the last bytes."""
        self._at -= count

    def close(self) -> None:
        """Start the next member here."""
        self._drop(self._at)

    def search(self, magic: bytes) -> None:
        """Start the next member at the next place behind the current start where one could begin."""
        self._at, skip = 0, 1
        while True:
            at = self._raw.find(magic, skip)
            if at >= 0:
                return self._drop(at)
            # The last bytes may be the start of the magic bytes.
            self._drop(max(min(len(self._raw), skip), len(self._raw) - len(magic) + 1))
            skip = 0
            if not self._fill():
                return self._drop(len(self._raw))

    def _drop(self, count: int) -> None:
        del self._raw[:count]
        self._start += count
        self._at = max(0, self._at - count)

    def _fill(self) -> bool:
        more = self._file.read(CHUNK)
        self._raw += more
        return bool(more)


def members(file: Any, begins: bytes, packing: str) -> Iterator[Event]:
    """Yield the pieces of each member, and how it ended. `packing` is `gzip` or `zstd`.

    After damage the search continues at the next place where a member could begin, and finds only members that unpack
    to `begins`: the magic bytes occur in compressed data too. Damage of any length in one run is one Broken.
    """
    window = Window(file)
    unpacker = _Gzip() if packing == "gzip" else _Zstd()
    in_damage, unreported = False, None
    while window.begins(1):
        place, given = window.start, False
        try:
            for data in unpacker.unpack(window):
                if in_damage and not data.startswith(begins):
                    raise FaultError(f"does not begin with {begins.decode('ascii')}")
                if unreported:
                    yield Broken(unreported, cut=False)
                in_damage, unreported, given = False, None, True
                yield Piece(place, data)
        except FaultError as fault:
            damage = Damage(f"byte {place}", str(fault))
            if given:
                yield Broken(damage, fault.cut)
            elif not in_damage:
                unreported = damage
            in_damage = True
            window.search(unpacker.magic)
        else:
            window.close()
            if given:
                yield Whole()
    if unreported:
        yield Broken(unreported, cut=False)


class _Gzip:
    magic = b"\x1f\x8b\x08"

    def unpack(self, window: Window) -> Iterator[bytes]:
        """Yield the pieces of the member at the start of the window, and take its bytes."""
        unpacker = zlib.decompressobj(wbits=31)  # 31: expect a gzip header, and verify the checksum at the end
        while not unpacker.eof:
            piece = unpacker.unconsumed_tail or window.take(CHUNK)
            if not piece:
                raise FaultError("is truncated", cut=True)
            try:
                # With a limit: a small member may unpack to gigabytes.
                data = unpacker.decompress(piece, CHUNK)
            except zlib.error as error:
                raise FaultError(f"cannot be unpacked: {error}") from error
            if data:
                yield data
        window.give_back(len(unpacker.unused_data))


class _Zstd:
    magic = b"\x28\xb5\x2f\xfd"

    def __init__(self) -> None:
        self._dictionary: bytes | None = None

    def unpack(self, window: Window) -> Iterator[bytes]:
        from fastwarc.stream_io import ZstdReader

        frame = Frame(window.take)
        if frame.skippable:
            # The dictionary of all frames may be stored in the first one (IIPC, "Zstandard compression of WARC").
            content = frame.content()
            if frame.kind == SKIPPABLE:
                self._dictionary = unpack_dictionary(content)
            return
        reader = ZstdReader(cast(Any, frame), dictionary=self._dictionary)
        while True:
            try:
                data = reader.read(CHUNK)
            except OSError as error:
                if error.errno:
                    raise  # an error of the store or the disk, not of the file
                what = "is truncated" if frame.cut else f"cannot be unpacked: {in_words(error)}"
                raise FaultError(what, cut=frame.cut) from error
            if not data:
                break
            yield data
        if not frame.done or frame.read():
            raise FaultError("cannot be unpacked: its blocks do not fit")
