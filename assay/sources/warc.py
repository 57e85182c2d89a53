"""Read web archives: pages of WARC files and texts of WET files, one record in memory at a time.

Format: ISO 28500 (WARC 1.1). WET files are those of Common Crawl: `conversion` records of plain text.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from assay.errors import InputError
from assay.progress import say
from assay.sources.damage import Damage, DamageHandler, Passed, listed, shortened
from assay.sources.http import TooLargeError, content_type, decoded, is_binary, parse_response
from assay.sources.members import CHUNK, Piece, members
from assay.sources.records import BEGINS, Record, records
from assay.sources.streams import packing_of, peeked, stated_packing, unpacked

_EVERY = {"id": pa.string(), "url": pa.string(), "date": pa.string()}
KINDS = {
    ".warc": pa.schema({**_EVERY, "mime": pa.string(), "charset": pa.string(), "html": pa.large_binary()}),
    ".wet": pa.schema({**_EVERY, "text": pa.large_string()}),
}
"""Columns by kind of file. `date` is the time of the crawl in ISO 8601. `html` is the page without its transfer and
content encodings; `mime` and `charset` come from its header."""
TYPES = {".warc": frozenset(("response", "resource")), ".wet": frozenset(("conversion",))}
"""Types of the records that may be documents."""
PAGES = ("text/html", "application/xhtml+xml", "text/plain", "")
COMPLETE = (200, 203)
"""Status of a response that is a whole page; 203 is one that a proxy changed (RFC 9110, section 15.3.4)."""
SKIPPABLE = range(0x184D2A50, 0x184D2A60)
"""First numbers of a zstd archive that begins with its dictionary."""


class _PassedError(Exception):
    """A record that is no document. The message is the reason."""


def read_batches(
    file: Any, path: str, kind: str, *, rows: int, size: int, on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the pages (`.warc`) or texts (`.wet`) of one archive in batches of `rows` rows or about `size` bytes.

    The archive may be compressed by gzip or zstd, record by record or as a whole, or not at all. Records that are not
    documents (requests, metadata, redirects, images) are counted and passed over. `on_damage` is called for each
    damaged place, and at the end for each reason to pass over records; without it, the first damage raises InputError.
    Reading continues at the next record that can be read.
    """
    passed: Counter[str] = Counter()
    first: dict[str, str] = {}
    held: list[dict[str, Any]] = []
    weight = 0
    for record in _records(file, path, kind):
        if isinstance(record, Damage):
            _report(record, path, on_damage)
            continue
        try:
            row, length = _page(record) if kind == ".warc" else _text(record)
        except _PassedError as reason:
            passed[str(reason)] += 1
            first.setdefault(str(reason), record.place)
            continue
        except TooLargeError as error:
            _report(Damage(record.place, str(error)), path, on_damage)
            continue
        held.append({**_name(record), **row})
        weight += length
        if len(held) == rows or weight > size:
            yield pa.RecordBatch.from_pylist(held, schema=KINDS[kind])
            held, weight = [], 0
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=KINDS[kind])
    found = [Passed(reason, count, first[reason]) for reason, count in sorted(passed.items())]
    if on_damage is None and found:
        say(f"{path}: passed over {listed(found)}")
    for each in found:
        if on_damage:
            on_damage(each)


def _report(damage: Damage, path: str, on_damage: DamageHandler | None) -> None:
    if on_damage is None:
        raise InputError(f"a record of this archive {damage.what}", where=f"{path}, {damage.place}", fix="Get it again")
    on_damage(damage)


def _records(file: Any, path: str, kind: str) -> Iterator[Record | Damage]:
    head, whole = peeked(file, 10)
    packing = packing_of(head)
    if int.from_bytes(head[:4], "little") in SKIPPABLE:
        packing = "zstd"
    elif not packing and not head.startswith(BEGINS):
        packing = stated_packing(path)  # the first record may be damaged
    if packing in ("bz2", "xz"):
        whole, packing = unpacked(whole, path, b""), ""
    if packing:
        return records(members(whole, BEGINS, packing), TYPES[kind], packed=True)
    return records((Piece(0, data) for data in iter(lambda: whole.read(CHUNK), b"")), TYPES[kind], packed=False)


def _name(record: Record) -> dict[str, str]:
    headers = record.headers
    return {
        "id": headers.get("warc-record-id", "").strip("<> ").removeprefix("urn:uuid:"),
        "url": headers.get("warc-target-uri", "").strip("<> "),
        "date": headers.get("warc-date", ""),
    }


def _text(record: Record) -> tuple[dict[str, Any], int]:
    """Return the further columns of a text, and its bytes."""
    if record.type != "conversion":
        raise _PassedError(f"record type: {shortened(record.type)}")
    return {"text": record.block.decode("utf-8", "replace")}, len(record.block)


def _page(record: Record) -> tuple[dict[str, Any], int]:
    """Return the further columns of a page, and its bytes. Raise _PassedError for a record that is no whole page."""
    if record.type not in TYPES[".warc"]:
        raise _PassedError(f"record type: {shortened(record.type)}")
    # Some writers leave out the type of the record.
    stated = content_type(record.headers.get("content-type", ""))[0]
    if record.type == "response" and stated in ("application/http", ""):
        response = parse_response(record.block)
        if response is None:
            raise _PassedError("record without an HTTP response")
        if response.status not in COMPLETE:
            raise _PassedError(f"status: {response.status}")
        mime, charset = content_type(response.headers.get("content-type", ""))
    else:
        # A `resource` record may be anything that the crawler wrote. Its logs are plain text, which is no page here.
        response, mime, charset = None, stated, ""
        if mime == "text/plain":
            raise _PassedError("content type: text/plain of the crawler")
    if mime not in PAGES:
        raise _PassedError(f"content type: {shortened(mime)}")
    html = decoded(response) if response else record.block
    if not mime and is_binary(html):
        raise _PassedError("content type: none, and binary")
    return {"mime": mime, "charset": charset, "html": html}, len(html)
