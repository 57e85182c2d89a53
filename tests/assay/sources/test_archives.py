"""Web archives: pages are read unchanged, and damage costs only the record that it hits."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.sources import Columns, acquire, open_source, warc
from assay.sources.damage import Damage, Passed
from assay.sources.members import members
from assay.sources.records import BEGINS, Record, records


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


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstd": zstd}


@settings(max_examples=200, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=400), min_size=1, max_size=8),
    at=st.floats(0, 1, exclude_max=True),
    length=st.integers(1, 200),
    how=st.sampled_from(["flip", "zero", "cut", "truncate", "insert"]),
    packing=st.sampled_from(["gzip", "zstd"]),
)
def test_records_without_damage_are_read_whole(
    contents: list[bytes], at: float, length: int, how: str, packing: str
) -> None:
    written = [record("conversion", content, number=n) for n, content in enumerate(contents)]
    packed = [PACK[packing](each) for each in written]
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

    found = list(records(members(io.BytesIO(bytes(data)), BEGINS, packing), frozenset(("conversion",)), packed=True))

    edges = [0]
    for each in packed:
        edges.append(edges[-1] + len(each))
    untouched = [
        content
        for content, first, last in zip(contents, edges, edges[1:], strict=False)
        if last <= start or first >= stop
    ]
    good = [each.block for each in found if isinstance(each, Record)]
    # All intact records are found in their order. gzip has checksums, so that no content is invented.
    remaining = iter(good)
    assert all(content in remaining for content in untouched)
    assert packing == "zstd" or all(content in contents for content in good)


@pytest.mark.parametrize("contents", [[b"one", b"two"], [b"", b"", b""]])
def test_a_head_without_its_end_takes_no_intact_record_along(contents: list[bytes]) -> None:
    broken = record("conversion", b"gone", number=0).replace(b"\r\n\r\n", b"\r\n", 1).replace(b"\r\n\r\n", b"")
    intact = [record("conversion", content, number=n) for n, content in enumerate(contents, 1)]
    data = b"".join(map(zstd, [broken, *intact]))

    found = list(records(members(io.BytesIO(data), BEGINS, "zstd"), frozenset(("conversion",)), packed=True))

    assert [each.block for each in found if isinstance(each, Record)] == contents
    assert sum(not isinstance(each, Record) for each in found) == 1, "the damage is counted"


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_nothing_is_lost_or_invented_in_a_whole_file(packing: str) -> None:
    contents = [bytes([n]) * n * 1_000 for n in range(20)]
    packed = [PACK[packing](record("conversion", content, number=n)) for n, content in enumerate(contents)]

    found = list(
        records(members(io.BytesIO(b"".join(packed)), BEGINS, packing), frozenset(("conversion",)), packed=True)
    )

    assert [each.block for each in found if isinstance(each, Record)] == contents
    places = [f"byte {sum(map(len, packed[:n]))}" for n in range(20)]
    assert [each.place for each in found if isinstance(each, Record)] == places


def test_a_member_that_unpacks_to_gigabytes_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.sources.records.LARGEST", 1_000_000)
    bomb = gzip.compress(record("response", bytes(50_000_000), number=1))
    good = gzip.compress(page(2, b"good"))
    reported: list[Damage | Passed] = []

    tracemalloc.start()
    found = rows(good + bomb + good, on_damage=reported.append)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [row["html"] for row in found] == [b"good", b"good"]
    assert reported == [Damage(f"byte {len(good)}", "is larger than 1,000,000 bytes")]
    assert peak < 20_000_000


@pytest.mark.parametrize("packing", ["by record", "as a whole", "not at all", "by frame", "in one frame", "in blocks"])
def test_pages_are_the_same_for_every_packing_of_the_archive(packing: str) -> None:
    written = [
        record("warcinfo", b"software: by hand", number=0, mime="application/warc-fields"),
        record("request", b"GET / HTTP/1.1\r\n\r\n", number=1, mime="application/http; msgtype=request"),
        page(2, "<p>Grüße</p>".encode()),
        page(3, b"<p>gone</p>", status=404),
        page(4, b"\x89PNG", mime="image/png"),
        page(5, "<p>ąć</p>".encode("iso-8859-2"), mime="text/html; charset=ISO-8859-2"),
        record("conversion", b"Plain text.", number=6, mime="text/plain"),
    ]
    data = {
        "by record": b"".join(map(gzip.compress, written)),
        "as a whole": gzip.compress(b"".join(written)),
        "not at all": b"".join(written),
        "by frame": b"".join(map(zstd, written)),
        "in one frame": zstd(b"".join(written)),
        "in blocks": b"".join(gzip.compress(b"".join(written)[at : at + 100]) for at in range(0, 3_000, 100)),
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
    reported: list[Damage | Passed] = []

    found = rows(b"".join(packed), on_damage=reported.append)

    assert [row["id"][-1] for row in found] == ["0", "1", "3", "4"]
    assert [damage.place for damage in reported if isinstance(damage, Damage)] == [f"byte {sum(map(len, packed[:2]))}"]
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


def test_an_archive_packed_as_a_whole_is_streamed_and_keeps_what_is_before_a_cut() -> None:
    body = b"<p>" + bytes(range(32, 127)) * 11_000 + b"</p>"
    written = [page(n, body) for n in range(70)]
    packed = gzip.compress(b"".join(written), 1)
    assert sum(map(len, written)) > 64 * 2**20
    reported: list[Damage | Passed] = []

    tracemalloc.start()
    batches = warc.read_batches(io.BytesIO(packed), "a.warc.gz", ".warc", rows=3, size=10**9)
    assert sum(batch.num_rows for batch in batches) == 70
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    cut = rows(packed[: int(len(packed) * 0.995)], on_damage=reported.append)

    assert peak < 40 * 2**20
    assert [row["id"][-2:] for row in cut] == [f"{n:02d}" for n in range(69)]
    assert reported == [Damage("byte 0", "is truncated")]


def test_a_dictionary_at_the_beginning_of_an_archive_is_used() -> None:
    from fastwarc.stream_io import ZstdWriter, zstd_train_dictionary_from_samples

    written = [page(n, b"<p>The river carries sand %d.</p>" % n) for n in range(200)]
    dictionary = zstd_train_dictionary_from_samples(written, 2_000)
    for packed_dictionary in (False, True):
        packed = io.BytesIO()
        writer = ZstdWriter(packed, dictionary=dictionary, compress_dictionary_frame=packed_dictionary)
        for each in written:
            writer.write(each)
            writer.finish()
        writer.close()

        assert len(rows(packed.getvalue())) == 200


def test_a_record_with_a_wrong_length_costs_only_itself_and_is_named_by_its_place() -> None:
    written = [page(n, b"<p>page %d</p>" % n) for n in range(6)]
    at = len(written[0]) + len(written[1])
    for old, new in ((b"Content-Length: 9", b"Content-Length: 99"), (b"Content-Length: 9", b"Content-Length: 1")):
        wrong = written[2].replace(old, new, 1)
        data = b"".join([*written[:2], wrong, *written[3:]])
        reported: list[Damage | Passed] = []

        found = rows(data, on_damage=reported.append)

        assert [row["id"][-1] for row in found] == ["0", "1", "3", "4", "5"], new
        assert [damage.place for damage in reported if isinstance(damage, Damage)] == [f"byte {at}"]


def test_garbage_between_records_is_one_damage_and_an_end_in_the_middle_another() -> None:
    written = [page(n, b"<p>page %d</p>" % n) for n in range(4)]
    reported: list[Damage | Passed] = []

    found = rows(written[0] + b"no record\0" * 300 + b"\n" + b"".join(written[1:])[:-20], on_damage=reported.append)

    assert [row["id"][-1] for row in found] == ["1", "2"]
    assert [damage.what for damage in reported if isinstance(damage, Damage)] == [
        "states a length that does not fit",
        "is truncated",
    ]
