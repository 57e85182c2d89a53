"""Unpack gzip files member by member, as web archives are packed, so that damage costs only one member."""

import zlib
from collections.abc import Iterator
from typing import Any

from assay.sources.damage import Damage

MAGIC = b"\x1f\x8b\x08"
CHUNK = 2**20
LARGEST = 64 * 2**20
"""Largest unpacked member in bytes; a larger one counts as damaged. Common Crawl cuts pages at 1 MiB (5 since 2025)."""


def members(file: Any, begins: bytes) -> Iterator[tuple[int, bytes] | Damage]:
    """Yield the offset and content of every member of a binary file, one in memory at a time.

    A member is valid if it can be unpacked, its checksum is right and it begins with `begins`. After an invalid
    member, the search continues at the next place where a member could begin; everything before it is one Damage. A
    file that ends within a member ends with a Damage.
    """
    raw = bytearray(file.read(CHUNK))
    offset = 0
    damage: Damage | None = None
    while raw:
        content, length, what = _unpack(raw, file)
        if not what and not content.startswith(begins):
            what = f"does not begin with {begins.decode('ascii')}"
        if what:
            # Only the first place of a run of damage is reported: the magic bytes also occur inside compressed data.
            damage = damage or Damage(f"byte {offset}", what)
            length = _next_magic(raw, file)
        else:
            if damage:
                yield damage
                damage = None
            yield offset, content
        del raw[:length]
        offset += length
        if not raw:
            raw += file.read(CHUNK)
    if damage:
        yield damage


def _unpack(raw: bytearray, file: Any) -> tuple[bytes, int, str]:
    """Return the content of the member at the start of `raw`, its packed length, and its fault or an empty text.

    Appends to `raw` from `file` until the member ends.
    """
    unpacker = zlib.decompressobj(wbits=31)  # 31: expect a gzip header, and verify the checksum at the end
    parts: list[bytes] = []
    size, at = 0, 0
    try:
        while not unpacker.eof:
            piece = unpacker.unconsumed_tail
            if not piece:
                if at == len(raw):
                    more = file.read(CHUNK)
                    if not more:
                        return b"", 0, "is truncated"
                    raw += more
                piece = bytes(raw[at : at + CHUNK])
                at += len(piece)
            # Without a limit, a small member that unpacks to gigabytes would fill the memory before it is refused.
            part = unpacker.decompress(piece, CHUNK)
            size += len(part)
            if size > LARGEST:
                return b"", 0, f"is larger than {LARGEST:,} bytes"
            parts.append(part)
    except zlib.error as error:
        return b"", 0, f"cannot be unpacked: {error}"
    return b"".join(parts), at - len(unpacker.unused_data), ""


def _next_magic(raw: bytearray, file: Any) -> int:
    """Return the number of bytes of `raw` before the next place where a member could begin.

    If there is none within a chunk, return the number of bytes that were searched, so that damage of any length needs
    little memory.
    """
    at = raw.find(MAGIC, 1)
    if at > 0:
        return at
    raw += file.read(CHUNK)
    at = raw.find(MAGIC, 1)
    # The last two bytes may be the start of the magic bytes.
    return at if at > 0 else max(1, len(raw) - 2)
