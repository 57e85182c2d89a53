"""Gzip files of many members, as web archives are: each member by itself, so that damage costs one of them."""

import zlib
from collections.abc import Iterator
from typing import Any

from assay.sources.damage import Damage

MAGIC = b"\x1f\x8b\x08"
CHUNK = 2**20
LARGEST = 64 * 2**20
"""Bytes of a member, unpacked; a larger one counts as damaged. Common Crawl cuts pages at 1 MiB (5 since 2025)."""


def members(file: Any, begins: bytes) -> Iterator[tuple[int, bytes] | Damage]:
    """Offset and content of every member of a binary file, one in memory at a time.

    A member is good if it can be unpacked, its checksum is right and it begins with `begins`. After one that is not,
    the search goes on at the next place where one could begin; what lies between is one Damage. A file that ends
    within a member ends with a Damage.
    """
    raw = bytearray(file.read(CHUNK))
    offset = 0
    damage: Damage | None = None
    while raw:
        content, length, what = _unpack(raw, file)
        if not what and not content.startswith(begins):
            what = f"does not begin with {begins.decode('ascii')}"
        if what:
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
    """Content of the member at the beginning of `raw`, its length there, and what is wrong with it, if anything.

    Reads on in `file` as far as the member goes.
    """
    unpacker = zlib.decompressobj(wbits=31)  # a gzip header, and its checksum at the end
    parts: list[bytes] = []
    size, at = 0, 0
    try:
        while not unpacker.eof:
            piece = unpacker.unconsumed_tail
            if not piece:
                if at == len(raw):
                    more = file.read(CHUNK)
                    if not more:
                        return b"", 0, "is cut off"
                    raw += more
                piece = bytes(raw[at : at + CHUNK])
                at += len(piece)
            part = unpacker.decompress(piece, CHUNK)
            size += len(part)
            if size > LARGEST:
                return b"", 0, f"is larger than {LARGEST:,} bytes"
            parts.append(part)
    except zlib.error as error:
        return b"", 0, f"cannot be unpacked: {error}"
    return b"".join(parts), at - len(unpacker.unused_data), ""


def _next_magic(raw: bytearray, file: Any) -> int:
    """Bytes from the beginning of `raw` to the next place where a member could begin, or to where that is unknown yet.

    Stops after a chunk without one, so that damage of any length needs little memory.
    """
    at = raw.find(MAGIC, 1)
    if at > 0:
        return at
    raw += file.read(CHUNK)
    at = raw.find(MAGIC, 1)
    # The last two bytes may be the beginning of one.
    return at if at > 0 else max(1, len(raw) - 2)
