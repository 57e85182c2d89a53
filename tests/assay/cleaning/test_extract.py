"""Extraction of pages: any encoding, any damage, and no page takes longer than the limit."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cleaning.extract import Extracted, Extractor, Page, decode, main_text

ARTICLE = """<html><head>{meta}<title>Bread</title></head>
<body><nav><a href="/">Home</a><a href="/shop">Shop</a></nav>
<article><h1>Why bread rises</h1><p>{one}</p><p>{two}</p></article>
<footer>All rights reserved.</footer></body></html>"""
ONE = "Yeast eats the sugar of the flour, and gives off a gas, which the dough holds back in many small bubbles. "
TWO = "In the oven the gas grows warm and expands, until the crust is firm and the loaf keeps the height that it has. "


def article(meta: str = "", one: str = ONE * 3, two: str = TWO * 3) -> str:
    return ARTICLE.format(meta=meta, one=one, two=two)


def test_the_article_is_kept_without_navigation_and_footer() -> None:
    text = main_text(Page(article().encode()))

    assert ONE.strip() in text
    assert TWO.strip() in text
    assert "Shop" not in text
    assert "rights reserved" not in text


@pytest.mark.parametrize(
    ("text", "encoding", "meta", "charset"),
    [
        ("Zażółć gęślą jaźń", "iso-8859-2", "", "ISO-8859-2"),
        ("Привет, как дела", "windows-1251", '<meta charset="windows-1251">', ""),
        ("Crème brûlée “d’été”", "windows-1252", '<meta charset="iso-8859-1">', ""),
        ("日本語のテキスト", "shift_jis", "", "Shift_JIS"),
        ("Grüße", "utf-16", "", ""),
        ("Grüße", "utf-8", "", "no-such-encoding"),
        ("Grüße", "utf-8", "", ""),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_states(text: str, encoding: str, meta: str, charset: str) -> None:
    page = Page(article(meta, one=text).encode(encoding), "text/html", charset)
    assert text in decode(page)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "utf-16", "latin-1", "gbk", "nonsense", "\0"]))
def test_any_bytes_give_valid_text(content: bytes, charset: str) -> None:
    page = Page(content, "text/html", charset)
    for text in (decode(page), main_text(page)):
        assert "\0" not in text
        assert text.encode("utf-8").decode("utf-8") == text


def test_plain_text_is_unchanged() -> None:
    assert (
        main_text(Page(b"  <b> is a tag.\n\nIt makes text bold.\n", "text/plain"))
        == "<b> is a tag.\n\nIt makes text bold."
    )


@pytest.mark.full
def test_a_slow_page_is_stopped_and_costs_no_other_page() -> None:
    hostile = Page(b"<div>" * 300_000 + b"x")
    good = Page(article().encode())

    with Extractor(processes=2, seconds=3) as extractor:
        found = list(extractor.extract([good, hostile, good, Page(b"")]))

    assert found[1] == Extracted("", "takes too long")
    assert found[0] == found[2] == Extracted(main_text(good))
    assert found[3] == Extracted("")


def test_an_extractor_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.cleaning.extract.main_text", die_on_demand)
    with Extractor(processes=1) as extractor:
        found = list(extractor.extract([Page(b"fine"), Page(b"die"), Page(b"raise"), Page(b"fine again")]))

    assert [each.text for each in found] == ["fine", "", "", "fine again"]
    assert [each.problem for each in found] == ["", "the extractor died", "ValueError: on demand", ""]


def die_on_demand(page: Page) -> str:
    if page.html == b"die":
        os._exit(9)
    if page.html == b"raise":
        raise ValueError("on demand\nand more")
    return page.html.decode()


@pytest.mark.full
def test_real_pages_have_the_main_text_that_people_marked(shared_data: Path) -> None:
    # The full comparison is benchmarks/extraction.py. Here a part of it guards against regressions.
    import pandas as pd

    from benchmarks.extraction import f1

    folder = shared_data / "web_pages"
    truth = pd.read_parquet(folder / "main_content.parquet").set_index("file_id")["main_content"].iloc[:60]
    pages = [Page(gzip.decompress((folder / f"html/{file}.html.gz").read_bytes())) for file in truth.index]

    with Extractor(processes=2) as extractor:
        found = list(extractor.extract(pages))

    assert not [each.problem for each in found if each.problem]
    assert sum(f1(each.text, text)[0] for each, text in zip(found, truth, strict=True)) / len(truth) > 0.8
