"""Unpack the body of a request, within the limit of a body that is not packed."""

import zlib

from assay.serving.documents import RefusedError

GZIP = ("gzip", "x-gzip")
"""The one content encoding that is unpacked, under both of its names (RFC 9110, section 8.4.1.3)."""


def unpacked(body: bytes, encoding: str, largest: int) -> bytes:
    """Return a body without its content encoding, which may be gzip, applied once.

    Raise RefusedError: 415 for another encoding, 413 if the body unpacks to more than `largest` bytes, 400 if it is no
    gzip.
    """
    names = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not names:
        return body
    if len(names) > 1 or names[0] not in GZIP:
        raise RefusedError(
            415, "this content encoding is not unpacked: send gzip or none", headers={"Accept-Encoding": "gzip"}
        )
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(body, largest + 1)
    except zlib.error:
        raise RefusedError(400, "the body is not gzip") from None
    if len(content) > largest:
        raise RefusedError(413, f"the body unpacks to more than {largest} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise RefusedError(400, "the body is not one whole gzip member")
    return content
