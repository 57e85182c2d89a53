"""Read web archives: pages of WARC files and texts of WET files, one record in memory at a time.

Format: ISO 28500 (WARC 1.1). WET files are those of Common Crawl: `conversion` records of plain text.
"""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from assay.errors import InputError
from assay.sources.damage import Damage, DamageHandler
from assay.sources.members import MAGIC, members

_EVERY = {"id": pa.string(), "url": pa.string(), "date": pa.string()}
KINDS = {
    ".warc": pa.schema({**_EVERY, "mime": pa.string(), "charset": pa.string(), "html": pa.large_binary()}),
    ".wet": pa.schema({**_EVERY, "text": pa.large_string()}),
}
"""Columns by kind of file. `date` is the time of the crawl in ISO 8601. `html` is the page as the server sent it;
`mime` and `charset` come from its header."""
PAGES = ("text/html", "application/xhtml+xml", "text/plain", "")
BEGINS = b"WARC/"


def read_batches(
    file: Any, path: str, kind: str, *, rows: int, size: int, on_damage: DamageHandler | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the pages (`.warc`) or texts (`.wet`) of one archive in batches of `rows` rows or about `size` bytes.

    The archive may be compressed record by record, as a whole, or not at all. Records that are not documents
    (requests, metadata, redirects, images) are skipped. `on_damage` is called for each damaged place; without it, the
    first one raises InputError. Reading continues behind damage only if records are compressed one by one, as the
    standard recommends.
    """

    def report(damage: Damage) -> None:
        if on_damage is None:
            raise InputError(
                f"a record of this archive {damage.what}", where=f"{path}, {damage.place}", fix="Get it again"
            )
        on_damage(damage)

    held: list[dict[str, Any]] = []
    weight = 0
    for row, length in _rows(file, kind, report):
        held.append(row)
        weight += length
        if len(held) == rows or weight > size:
            yield pa.RecordBatch.from_pylist(held, schema=KINDS[kind])
            held, weight = [], 0
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=KINDS[kind])


def _rows(file: Any, kind: str, report: DamageHandler) -> Iterator[tuple[dict[str, Any], int]]:
    buffered = file if hasattr(file, "peek") else io.BufferedReader(file, 2**20)
    if buffered.peek(3)[:3] != MAGIC:
        yield from _documents(buffered, 0, kind, report)
        return
    for member in members(buffered, BEGINS):
        if isinstance(member, Damage):
            report(member)
        else:
            offset, content = member
            yield from _documents(io.BytesIO(content), offset, kind, report)


def _documents(stream: Any, offset: int, kind: str, report: DamageHandler) -> Iterator[tuple[dict[str, Any], int]]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    pages = kind == ".warc"
    wanted = WarcRecordType.response | WarcRecordType.resource if pages else WarcRecordType.conversion
    records = iter(ArchiveIterator(stream, record_types=wanted, parse_http=True, auto_decode="all"))
    while True:
        try:
            record = next(records, None)
            if record is None:
                return
            found = _page(record) if pages else _text(record)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None):
                raise  # an error of the store or the disk, not of the file
            words = str(error).splitlines()
            report(Damage(f"byte {offset}", f"cannot be parsed: {words[0] if words else type(error).__name__}"))
            return
        if found:
            row, content = found
            name = {
                "id": (record.record_id or "").strip("<>").removeprefix("urn:uuid:"),
                "url": (record.headers.get("WARC-Target-URI") or "").strip("<>"),
                "date": record.headers.get("WARC-Date") or "",
            }
            yield {**name, **row}, len(content)


def _text(record: Any) -> tuple[dict[str, Any], bytes]:
    """Return the further columns of a text, and its bytes."""
    content = record.reader.read()
    return {"text": content.decode("utf-8", "replace")}, content


def _page(record: Any) -> tuple[dict[str, Any], bytes] | None:
    """Return the further columns of a page, and its bytes. Return None for a record that is not a fetched page."""
    charset = ""
    if record.is_http:
        if record.http_headers.status_code != 200:
            return None
        mime, charset = record.http_content_type or "", record.http_charset or ""
    else:
        # A `resource` record may be anything that the crawler wrote. Its logs are plain text, which is no page here.
        mime = record.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if mime == "text/plain":
            return None
    if mime not in PAGES:
        return None
    content = record.reader.read()
    return {"mime": mime, "charset": charset, "html": content}, content
