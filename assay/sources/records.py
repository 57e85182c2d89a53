"""Cut a web archive into its records (ISO 28500), with their true places, and go on behind damage.

A record is passed on when the next one begins or its member ends well, so that damage never shows up as a document. The
reader of fastwarc is not used: it passes on a record that is cut off without a word, and ends at the first one with a
wrong length.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from assay.sources.damage import Damage
from assay.sources.members import Broken, Event, Whole

BEGINS = b"WARC/"
LARGEST = 64 * 2**20
"""Largest record in bytes; a larger one is not read. Common Crawl cuts pages at 1 MiB (5 since 2025)."""
LONGEST_HEAD = 64 * 2**10
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_NEXT = re.compile(rb"(?<=\n)WARC/[01]\.\d+\r?\n")
NEWLINES = b"\r\n"
LINE = 16
"""Bytes that hold the first line of a record with the line end before it."""


@dataclass(frozen=True)
class Record:
    """One record."""

    place: str
    """Its place in the file, for messages."""
    headers: Mapping[str, str]
    """Names in lower case. Of a name that occurs twice, the first value."""
    block: bytes = field(repr=False)
    """Content, of `Content-Length` bytes. Empty if the record was not wanted."""

    @property
    def type(self) -> str:
        """Return the type in lower case: `response`."""
        return self.headers.get("warc-type", "").strip().lower()


class _BadRecordError(Exception):
    """A record that cannot be read, while the bytes around it can."""


class _BadLengthError(Exception):
    """The last record states a length at whose end no other record begins."""


class _BrokenError(Exception):
    """The end of a member that cannot be unpacked."""

    def __init__(self, event: Broken) -> None:
        super().__init__(event.damage.what)
        self.event = event


def records(events: Iterable[Event], wanted: frozenset[str], *, packed: bool) -> Iterator[Record | Damage]:
    """Yield the records, and the damage between them. Records of types that are not wanted come without their block.

    `events` are those of `members`, or the pieces of an archive that is not packed.
    """
    return _Cutter(events, wanted, packed=packed).records()


class _Cutter:
    def __init__(self, events: Iterable[Event], wanted: frozenset[str], *, packed: bool) -> None:
        self._events, self._wanted, self._packed = iter(events), wanted, packed
        self._buffer = bytearray()
        self._at = 0
        """Place of the buffer in the unpacked archive."""
        self._starts: deque[tuple[int, int]] = deque()
        """Unpacked place and offset in the file of the members from the one of the last record."""
        self._held: Record | None = None
        self._block = b""
        """Bytes between the head of the last record and the buffer, to search them if its length is wrong."""
        self._safe = False
        """True if the last record was in a member that ended well."""

    def records(self) -> Iterator[Record | Damage]:
        while True:
            place = ""
            try:
                self._skip_newlines()
                if not self._buffer:
                    break
                place = self._place()
                headers, length = self._head()
                yield from self._release()
                block = self._take_block(length)
                wanted = headers.get("warc-type", "").strip().lower() in self._wanted
                self._held, self._block, self._safe = Record(place, headers, block if wanted else b""), block, False
            except _BadRecordError as bad:
                yield from self._release()
                yield Damage(place, str(bad))
                yield from self._resume()
            except _BadLengthError as bad:
                assert self._held is not None
                yield Damage(self._held.place, str(bad))
                self._held = None
                self._buffer[:0] = self._block
                self._at -= len(self._block)
                yield from self._resume()
            except _BrokenError as broken:
                # After a cut nothing before was wrong. Otherwise the last record may hold what damage unpacked to.
                yield from self._release(self._safe or broken.event.cut)
                self._forget()
                yield broken.event.damage
        yield from self._release()

    def _release(self, right: bool = True) -> Iterator[Record]:
        held, self._held, self._block = self._held, None, b""
        if held and right:
            yield held

    def _resume(self) -> Iterator[Damage]:
        """Go to the next record, and yield the damage on the way."""
        try:
            self._search()
        except _BrokenError as broken:
            self._forget()
            yield broken.event.damage

    def _forget(self) -> None:
        self._at += len(self._buffer)
        self._buffer.clear()
        self._starts.clear()

    def _fill(self) -> bool:
        """Add a piece to the buffer. Return False at the end of the archive."""
        for event in self._events:
            if isinstance(event, Broken):
                raise _BrokenError(event)
            if isinstance(event, Whole):
                self._safe = True
                continue
            if not self._starts or self._starts[-1][1] != event.member:
                self._starts.append((self._at + len(self._buffer), event.member))
            self._buffer += event.data
            return True
        return False

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at += count

    def _place(self) -> str:
        while len(self._starts) > 1 and self._starts[1][0] <= self._at:
            self._starts.popleft()
        start, member = self._starts[0]
        if not self._packed:
            return f"byte {self._at}"
        return f"byte {member}" if start == self._at else f"byte {member}, at {self._at - start:,} unpacked"

    def _skip_newlines(self) -> None:
        while self._buffer or self._fill():
            blank = len(self._buffer) - len(self._buffer.lstrip(NEWLINES))
            if self._held:
                self._block += self._buffer[:blank]
            self._drop(blank)
            if self._buffer:
                return

    def _head(self) -> tuple[dict[str, str], int]:
        """Take the head of a record, and return its headers and the length of its block."""
        while len(self._buffer) < len(BEGINS) and self._fill():
            pass
        if not self._buffer.startswith(BEGINS):
            if self._held and not self._safe:
                raise _BadLengthError("states a length that does not fit")
            raise _BadRecordError(f"does not begin with {BEGINS.decode()}")
        while not (end := _END_OF_HEAD.search(self._buffer)):
            if len(self._buffer) > LONGEST_HEAD:
                raise _BadRecordError(f"has a head of more than {LONGEST_HEAD:,} bytes")
            if self._next_begins_before(len(self._buffer)) or not self._fill():
                raise _BadRecordError("is truncated")
        if self._next_begins_before(end.start()):
            raise _BadRecordError("is truncated")
        headers = parse_headers(bytes(self._buffer[: end.start()]).split(b"\n")[1:])
        length = headers.get("content-length", "").strip()
        if not (length.isascii() and length.isdigit()):
            raise _BadRecordError("states no length")
        self._drop(end.end())
        return headers, int(length)

    def _next_begins_before(self, end: int) -> bool:
        """Return True if another record begins with its member before the byte `end` of the buffer.

        Damage that unpacks may lack the end of a head: the heads of intact records behind it are not part of it.
        """
        places = (place - self._at for place, _ in self._starts)
        return any(0 < place < end and self._buffer.startswith(BEGINS, place) for place in places)

    def _take_block(self, length: int) -> bytes:
        """Take the block of a record."""
        if length > LARGEST:
            raise _BadRecordError(f"is larger than {LARGEST:,} bytes")
        while len(self._buffer) < length:
            before, known = len(self._buffer), len(self._starts)
            if not self._fill():
                raise _BadRecordError("is truncated")
            # A record may span members, if a tool packed the archive in blocks; but not the start of the next record.
            if len(self._starts) > known and self._buffer.startswith(BEGINS, before):
                raise _BadRecordError("is truncated")
        block = bytes(self._buffer[:length])
        self._drop(length)
        return block

    def _search(self) -> None:
        """Drop everything before the next place where a record begins."""
        while True:
            # From the second byte: behind a record that could not be read, the buffer may begin with its first line.
            found = _NEXT.search(self._buffer, 1)
            starts = [place - self._at for place, _ in self._starts if place > self._at]
            if found or starts:
                return self._drop(min([*starts[:1], *([found.start()] if found else [])]))
            # The last bytes may be the beginning of the line that is searched.
            self._drop(max(0, len(self._buffer) - LINE))
            if not self._fill():
                return self._drop(len(self._buffer))


def parse_headers(lines: Iterable[bytes]) -> dict[str, str]:
    """Return headers by their names in lower case: the first value of each, with the lines that continue it."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if text[:1] in (" ", "\t"):
            if name:
                found[name] += f" {text.strip()}"
            continue
        key, colon, value = text.partition(":")
        name = key.strip().lower() if colon and key.strip().lower() not in found else ""
        if name:
            found[name] = value.strip()
    return found
