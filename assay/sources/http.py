"""Read HTTP responses as browsers do: what the headers say is tried, and what does not fit the body is ignored."""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

LARGEST = 64 * 2**20
"""Largest body in bytes, unpacked."""
SNIFFED = 1445
"""Bytes of a body that decide its kind if the server states none (WHATWG, MIME Sniffing, section 7)."""
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_MARKS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OUTSIDE_QUOTES = r'(?=(?:[^"]*"[^"]*")*[^"]*$)'
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class TooLargeError(ValueError):
    """A body that unpacks to more than LARGEST bytes."""


@dataclass(frozen=True)
class Response:
    """A response as it was sent."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case. The values of a name that occurs more often are joined by commas (RFC 9110, section 5.3)."""
    body: bytes = field(repr=False)
    """As it was transferred."""


def parse_response(block: bytes) -> Response | None:
    """Return the final response of a block, behind interim ones such as `100 Continue`. Return None if it has none."""
    while match := _STATUS.match(block):
        end = _END_OF_HEAD.search(block)
        head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
        status = int(match[1])
        if 100 <= status < 200 and _STATUS.match(body):
            block = body
            continue
        return Response(status, _headers(head), body)
    return None


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in head.split(b"\n")[1:]:
        text = line.decode("latin-1").rstrip("\r")
        if text[:1] in (" ", "\t"):  # the line continues the one before (RFC 9112, section 5.2)
            if name:
                found[name] += f" {text.strip()}"
            continue
        key, colon, value = text.partition(":")
        name = key.strip().lower() if colon else ""
        if name:
            found[name] = f"{found[name]}, {value.strip()}" if name in found else value.strip()
    return found


def content_type(values: str) -> tuple[str, str]:
    """Return MIME type and charset of a Content-Type, in lower case, each empty if it states none.

    Of several values the last valid one decides (WHATWG, Fetch, "extract a MIME type").
    """
    mime = charset = ""
    for value in re.split("," + _OUTSIDE_QUOTES, values):
        kind, *parameters = re.split(";" + _OUTSIDE_QUOTES, value)
        major, slash, minor = (part.strip().lower() for part in kind.partition("/"))
        if not slash or not (_TOKEN.fullmatch(major) and _TOKEN.fullmatch(minor)) or f"{major}/{minor}" == "*/*":
            continue
        stated = ""
        for parameter in parameters:
            name, _, given = parameter.partition("=")
            if name.strip().lower() == "charset" and not stated:
                stated = given.strip().strip("\"'").strip().lower()
        if f"{major}/{minor}" != mime:
            charset = ""
        mime, charset = f"{major}/{minor}", stated or charset
    return mime, charset


def is_binary(body: bytes) -> bool:
    """Return True if a body that states no type is no text (WHATWG, MIME Sniffing, section 7.2)."""
    return not body.startswith(_MARKS) and bool(_BINARY.search(body, 0, SNIFFED))


def decoded(response: Response) -> bytes:
    """Return the body without its transfer and content encodings.

    Crawlers often unpack a body and keep its headers, and servers state encodings that do not exist (`UTF-8`, `none`).
    So an encoding that is unknown, or does not fit the body, is ignored. A packed body that is cut off gives what it
    holds. Raise TooLargeError if it unpacks to more than LARGEST bytes.
    """
    body = response.body
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = _joined(body)
    # The encodings are listed in the order in which they were applied.
    for name in reversed(response.headers.get("content-encoding", "").lower().split(",")):
        if unpack := _UNPACK.get(name.strip().removeprefix("x-")):
            body = unpack(body)
    return body


def _joined(body: bytes) -> bytes:
    """Return the content of chunks (RFC 9112, section 7.1); the body itself if they do not fit it."""
    parts: list[bytes] = []
    at = 0
    while match := _CHUNK.match(body, at):
        size = int(match[1], 16)
        at = match.end()
        if not size:
            return b"".join(parts)
        parts.append(body[at : at + size])
        at += size
        end = body[at : at + 2]
        at += 2 if end == b"\r\n" else 1
        if at >= len(body):  # cut off within a chunk, or before the last one
            return b"".join(parts)
        if end != b"\r\n" and end[:1] != b"\n":
            return body
    return body


def _inflated(body: bytes, wbits: int) -> bytes | None:
    """Return what a gzip, zlib or raw deflate stream holds, all its members; None if it is no such stream."""
    parts: list[bytes] = []
    size = 0
    while True:
        unpacker = zlib.decompressobj(wbits)
        try:
            part = unpacker.decompress(body, LARGEST + 1 - size)
        except zlib.error:
            # Unpacked again in small steps, for what lies before the damage.
            part = _before_damage(body, wbits, LARGEST + 1 - size)
            return b"".join([*parts, part]) if parts or part else None
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise TooLargeError(f"unpacks to more than {LARGEST:,} bytes")
        body = unpacker.unused_data
        if not unpacker.eof or not body or wbits < 0:
            return b"".join(parts) if size else None


def _before_damage(body: bytes, wbits: int, most: int) -> bytes:
    unpacker = zlib.decompressobj(wbits)
    parts: list[bytes] = []
    for at in range(0, len(body), 256):
        try:
            parts.append(unpacker.decompress(body[at : at + 256], most))
        except zlib.error:
            break
    return b"".join(parts)


def _gunzipped(body: bytes) -> bytes:
    found = _inflated(body, 31) if body.startswith(b"\x1f\x8b") else None
    return body if found is None else found


def _deflated(body: bytes) -> bytes:
    # `deflate` is zlib's form (RFC 9110, section 8.4.1.2); servers also send it without zlib's header. Markup could
    # begin a raw stream by chance, so that is tried only for what does not look like text.
    found = _inflated(body, 15) if body[:1] and body[0] & 15 == 8 else None
    if found is None and not body.lstrip().startswith(b"<"):
        found = _inflated(body, -15)
    return body if found is None else found


def _unbrotlied(body: bytes) -> bytes:
    import brotli

    try:
        found = brotli.Decompressor().process(body, output_buffer_limit=LARGEST + 1)
    except brotli.error:
        return body
    if len(found) > LARGEST:
        raise TooLargeError(f"unpacks to more than {LARGEST:,} bytes")
    return bytes(found) if found else body


def _unzstd(body: bytes) -> bytes:
    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return body
    parts: list[bytes] = []
    size = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while part := stream.read(2**20):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise TooLargeError(f"unpacks to more than {LARGEST:,} bytes")
    except (OSError, pa.ArrowException):
        pass
    return b"".join(parts) if parts else body


_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzipped,
    "deflate": _deflated,
    "br": _unbrotlied,
    "zstd": _unzstd,
}
