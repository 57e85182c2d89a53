"""HTTP responses in archives: headers that do not fit the body cost no page, and are read as browsers read them."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pyarrow as pa
import pytest

from assay.sources import warc
from assay.sources.damage import Damage, Passed
from assay.sources.http import TooLargeError, content_type, decoded, parse_response

HTML = "text/html; charset=utf-8"
PAGE = b"<html><body><p>" + b"The river carries sand and clay to the sea. " * 30 + b"</p></body></html>"


def chunked(body: bytes) -> bytes:
    parts = [body[at : at + 300] for at in range(0, len(body), 300)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


def zstd(body: bytes) -> bytes:
    return bytes(pa.compress(body, codec="zstd", asbytes=True))


def block(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> bytes:
    return (end.join([status, *headers, "", ""])).encode("latin-1") + body


RIGHT: dict[str, bytes] = {
    "plain": block(PAGE),
    "chunked": block(chunked(PAGE), "Transfer-Encoding: chunked"),
    "gzip": block(gzip.compress(PAGE), "Content-Encoding: gzip"),
    "x-gzip": block(gzip.compress(PAGE), "Content-Encoding: x-gzip"),
    "GZIP": block(gzip.compress(PAGE), "CONTENT-ENCODING: GZIP"),
    "gzip, twice": block(gzip.compress(gzip.compress(PAGE)), "Content-Encoding: gzip, gzip"),
    "gzip in two headers": block(gzip.compress(zstd(PAGE)), "Content-Encoding: zstd", "Content-Encoding: gzip"),
    "gzip of several members": block(gzip.compress(PAGE[:99]) + gzip.compress(PAGE[99:]), "Content-Encoding: gzip"),
    "gzip and rubbish": block(gzip.compress(PAGE) + b"rubbish", "Content-Encoding: gzip"),
    "deflate": block(zlib.compress(PAGE), "Content-Encoding: deflate"),
    "raw deflate": block(raw_deflate(PAGE), "Content-Encoding: deflate"),
    "br": block(brotli.compress(PAGE), "Content-Encoding: br"),
    "zstd": block(zstd(PAGE), "Content-Encoding: zstd"),
    "chunked and gzip": block(chunked(gzip.compress(PAGE)), "Transfer-Encoding: chunked", "Content-Encoding: gzip"),
    "gzip, not chunked any more": block(gzip.compress(PAGE), "Transfer-Encoding: chunked", "Content-Encoding: gzip"),
    "chunks that do not fit": block(PAGE, "Transfer-Encoding: chunked"),
    "chunks that begin well": block(PAGE + b"", "Transfer-Encoding: chunked"),
    "no end of chunks": block(chunked(PAGE)[:-5], "Transfer-Encoding: chunked"),
    "lines without returns": block(PAGE, "Content-Type: text/html", end="\n"),
    "behind an interim response": b"HTTP/1.1 100 Continue\r\n\r\n" + block(PAGE),
    "no reason": block(PAGE, status="HTTP/1.1 200"),
    "HTTP/2": block(PAGE, status="HTTP/2 200"),
    "lower case": block(PAGE, status="http/1.1 200 ok"),
} | {
    f"{name} over plain text": block(PAGE, f"Content-Encoding: {name}")
    for name in ("gzip", "deflate", "br", "zstd", "identity", "UTF-8", "none", "", "utf-8, gzip")
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_body_is_unpacked_if_it_fits_its_headers_and_kept_if_not(name: str) -> None:
    response = parse_response(RIGHT[name])

    assert response is not None
    assert response.status == 200
    assert decoded(response) == PAGE


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, brotli.compress])
def test_a_body_that_is_cut_off_gives_its_beginning(pack: Callable[[bytes], bytes]) -> None:
    words = " ".join(f"{n * 7919 % 10_000}" for n in range(5_000)).encode()
    name = {gzip.compress: "gzip", zlib.compress: "deflate", brotli.compress: "br"}[pack]
    response = parse_response(block(pack(words)[:-1_000], f"Content-Encoding: {name}"))

    assert response is not None
    found = decoded(response)
    assert words.startswith(found)
    assert len(found) > len(words) / 2


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate, brotli.compress, zstd])
def test_a_body_that_unpacks_to_gigabytes_is_refused(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.sources.http.LARGEST", 100_000)
    name = {gzip.compress: "gzip", brotli.compress: "br", zstd: "zstd"}.get(pack, "deflate")
    response = parse_response(block(pack(bytes(10_000_000)), f"Content-Encoding: {name}"))

    assert response is not None
    with pytest.raises(TooLargeError, match="100,000 bytes"):
        decoded(response)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html; charset=utf-8", ("text/html", "utf-8")),
        ('Text/HTML; Charset="UTF-8"', ("text/html", "utf-8")),
        ("text/html,text/html; charset=utf-8", ("text/html", "utf-8")),
        ("text/html; charset=utf-8, text/html", ("text/html", "utf-8")),
        ("text/plain; charset=utf-8, text/html", ("text/html", "")),
        ('text/html; a=",;"; charset=gbk', ("text/html", "gbk")),
        ("text/html;charset=gbk;charset=utf-8", ("text/html", "gbk")),
        ("text/html, nonsense", ("text/html", "")),
        ("text/html, */*", ("text/html", "")),
        ("html", ("", "")),
        ("", ("", "")),
    ],
)
def test_types_are_read_as_browsers_read_them(value: str, expected: tuple[str, str]) -> None:
    assert content_type(value) == expected


def test_a_folded_header_is_one_value() -> None:
    response = parse_response(block(PAGE, "Content-Type: text/html;", " charset=utf-8"))

    assert response is not None
    assert content_type(response.headers["content-type"]) == ("text/html", "utf-8")


def test_records_of_a_crawl_are_pages_or_passed_over_with_a_reason(inputs: Path) -> None:
    """41 records with headers of all sorts; the packed and the unpacked archive give the same."""
    archive = inputs / "http-encoding-header-wrong" / "records.warc.gz"
    plain = archive.parent / "records.warc"
    plain.write_bytes(gzip.decompress(archive.read_bytes()))
    results = []
    for path in (archive, plain):
        reported: list[Damage | Passed] = []
        with path.open("rb") as file:
            batches = list(warc.read_batches(file, path.name, ".warc", rows=100, size=10**9, on_damage=reported.append))
        results.append(([row for batch in batches for row in batch.to_pylist()], reported))

    (pages, reported), (again, _) = results

    assert pages == again
    assert [(each.reason, each.count) for each in reported if isinstance(each, Passed)] == [
        ("content type: none, and binary", 1),
        ("record without an HTTP response", 1),
        ("status: 206", 1),
    ]
    assert len(reported) == 3
    assert len(pages) == 38
    whole = [page for page in pages if b"<h1>Stones" in page["html"] and b"turns to stone" in page["html"]]
    assert len(whole) == 36  # an empty body and a PDF called HTML hold none
