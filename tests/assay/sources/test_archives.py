"""Web archives: pages are read unchanged, and damage costs only the record that it hits."""

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.sources import Columns, acquire, open_source, warc
from assay.sources.damage import Damage
from assay.sources.members import members

BEGINS = b"WARC/"


def record(kind: str, payload: bytes, *, number: int, mime: str = "application/http; msgtype=response") -> bytes:
    """Return one WARC record in the format of ISO 28500."""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://example.org/{number}\r\n"
        f"WARC-Date: 2026-01-{number % 28 + 1:02d}T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\n"
        f"Content-Type: {mime}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload + b"\r\n\r\n"


def page(number: int, body: bytes, *, status: int = 200, mime: str = "text/html; charset=utf-8") -> bytes:
    http = f"HTTP/1.1 {status} Any\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return record("response", http + body, number=number)


def rows(data: bytes, kind: str = ".warc", **options: Any) -> list[dict]:
    batches = warc.read_batches(io.BytesIO(data), "a.warc.gz", kind, rows=3, size=10**9, **options)
    return [row for batch in batches for row in batch.to_pylist()]


@settings(max_examples=200, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=400), min_size=1, max_size=8),
    at=st.floats(0, 1, exclude_max=True),
    length=st.integers(1, 200),
    how=st.sampled_from(["flip", "zero", "cut", "truncate", "insert"]),
)
def test_members_without_damage_are_read_whole(contents: list[bytes], at: float, length: int, how: str) -> None:
    packed = [gzip.compress(BEGINS + content, mtime=0) for content in contents]
    data = bytearray(b"".join(packed))
    start = int(at * len(data))
    stop = {"flip": start + 1, "truncate": len(data), "insert": start}.get(how, min(start + length, len(data)))
    if how == "flip":
        data[start] ^= 0xFF
    elif how == "zero":
        data[start:stop] = bytes(stop - start)
    elif how == "insert":
        data[start:start] = b"x" * length
    else:
        del data[start:stop]

    found = list(members(io.BytesIO(bytes(data)), BEGINS))

    edges = [0]
    for each in packed:
        edges.append(edges[-1] + len(each))
    untouched = [
        BEGINS + content
        for content, first, last in zip(contents, edges, edges[1:], strict=False)
        if last <= start or first >= stop
    ]
    good = [member[1] for member in found if not isinstance(member, Damage)]
    # All intact members are found in their order, and no content is invented.
    remaining = iter(good)
    assert all(content in remaining for content in untouched)
    assert all(content in [BEGINS + each for each in contents] for content in good)


def test_nothing_is_lost_or_invented_in_a_whole_file() -> None:
    contents = [b"WARC/" + bytes([n]) * n * 1_000 for n in range(20)]
    data = b"".join(gzip.compress(content) for content in contents)

    found = list(members(io.BytesIO(data), BEGINS))

    assert [member[1] for member in found if not isinstance(member, Damage)] == contents
    assert [data[member[0] :][:2] for member in found if not isinstance(member, Damage)] == [b"\x1f\x8b"] * 20


def test_a_member_that_unpacks_to_gigabytes_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.sources.members.LARGEST", 1_000_000)
    bomb = gzip.compress(b"WARC/" + bytes(50_000_000))
    good = gzip.compress(b"WARC/ good")

    found = list(members(io.BytesIO(good + bomb + good), BEGINS))

    assert [type(member) is Damage for member in found] == [False, True, False]
    assert found[1].what == "is larger than 1,000,000 bytes"


@pytest.mark.parametrize("packing", ["by record", "as a whole", "not at all"])
def test_pages_are_the_same_for_every_packing_of_the_archive(packing: str) -> None:
    records = [
        record("warcinfo", b"software: by hand", number=0, mime="application/warc-fields"),
        record("request", b"GET / HTTP/1.1\r\n\r\n", number=1, mime="application/http; msgtype=request"),
        page(2, "<p>Grüße</p>".encode()),
        page(3, b"<p>gone</p>", status=404),
        page(4, b"\x89PNG", mime="image/png"),
        page(5, "<p>ąć</p>".encode("iso-8859-2"), mime="text/html; charset=ISO-8859-2"),
        record("conversion", b"Plain text.", number=6, mime="text/plain"),
    ]
    data = {
        "by record": b"".join(map(gzip.compress, records)),
        "as a whole": gzip.compress(b"".join(records)),
        "not at all": b"".join(records),
    }[packing]

    found = rows(data)

    assert [row["url"] for row in found] == [f"https://example.org/{n}" for n in (2, 5)]
    assert found[0] == {
        "id": "00000000-0000-0000-0000-000000000002",
        "url": "https://example.org/2",
        "date": "2026-01-03T00:00:00Z",
        "mime": "text/html",
        "charset": "utf-8",
        "html": "<p>Grüße</p>".encode(),
    }
    assert found[1]["html"].decode(found[1]["charset"]) == "<p>ąć</p>"
    (text,) = rows(data, ".wet")
    assert (text["url"], text["text"]) == ("https://example.org/6", "Plain text.")


def test_a_damaged_record_is_reported_and_costs_one_page() -> None:
    packed = [gzip.compress(page(n, b"<p>page %d</p>" % n)) for n in range(5)]
    packed[2] = packed[2][:50] + b"\0\0\0\0" + packed[2][54:]
    reported: list[Damage] = []

    found = rows(b"".join(packed), on_damage=reported.append)

    assert [row["id"][-1] for row in found] == ["0", "1", "3", "4"]
    assert [damage.place for damage in reported] == [f"byte {len(packed[0]) + len(packed[1])}"]
    with pytest.raises(InputError, match=r"a record of this archive .* \(a.warc.gz, byte \d+\)"):
        rows(b"".join(packed))


def test_archives_and_folders_of_pages_are_sources(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    folder.mkdir()
    (folder / "a.warc.wet.gz").write_bytes(
        b"".join(gzip.compress(record("conversion", b"text %d" % n, number=n, mime="text/plain")) for n in range(3))
    )
    snapshot = acquire(open_source(str(folder)), Columns(), tmp_path / "snapshot")
    assert snapshot.take(range(3)) == ["text 0", "text 1", "text 2"]
    assert snapshot.take([2], "url") == ["https://example.org/2"]

    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "b.html").write_bytes(b"<p>b</p>")
    (pages / "a.htm").write_bytes(b"<p>a</p>")
    (pages / "c.html.gz").write_bytes(gzip.compress(b"<p>c</p>"))
    found = [row for batch in open_source(str(pages)).batches() for row in batch.to_pylist()]
    assert [(row["file"], row["html"]) for row in found] == [
        ("a.htm", b"<p>a</p>"),
        ("b.html", b"<p>b</p>"),
        ("c.html.gz", b"<p>c</p>"),
    ]
    with pytest.raises(InputError, match="these are web pages, not texts"):
        acquire(open_source(str(pages)), Columns(), tmp_path / "no")


def test_real_archives_lose_nothing(shared_data: Path) -> None:
    counts = {}
    for file in sorted((shared_data / "warc_samples").glob("*.warc.gz")):
        found = rows(file.read_bytes())
        counts[file.name] = len(found)
        assert all(row["html"] and row["url"].startswith("http") for row in found)
    assert counts == {"sample-0000.warc.gz": 22, "sample-0001.warc.gz": 15}
