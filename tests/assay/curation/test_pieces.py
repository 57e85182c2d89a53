"""A file of a source as a piece: it has every row and every damage, with the reason if a row is dropped."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from assay.cleaning.clean import preset
from assay.cleaning.decontaminate import read_benchmarks
from assay.curation import BuildConfig
from assay.curation.pieces import PieceMaker, piece_schema
from assay.dedup import DedupConfig, marks, text_digest
from assay.errors import InputError
from assay.sources import Columns, open_source

TEXT = (
    "The river rises in the hills, and it runs through the town before it reaches the sea. Farmers have used its water "
    "for as long as anybody can remember. In spring the snow melts, and the lower fields are under water for a week. "
    "An old bridge of stone carries the road to the north, with three arches of unequal width. Children learn to swim "
    "behind the mill, where the current is weak. Most of the trees along the bank are willows, which hold the soil."
)


def piece(source: Path, config: BuildConfig, benchmarks: Path | None = None) -> pa.Table:
    opened = open_source(str(source))
    known = read_benchmarks(str(benchmarks)) if benchmarks else None
    expected = piece_schema(opened.readable_schema, config, str(source))
    with PieceMaker(config, opened.readable_schema, known) as maker:
        batches = [batch for member in opened.members for batch in maker.make(opened, [member])]
        return pa.Table.from_batches(batches, schema=expected)


def test_kept_and_dropped_rows_are_in_order_with_reason_and_place(tmp_path: Path) -> None:
    rows = [{"body": TEXT, "url": "u0"}, {"body": "short", "url": "u1"}, {"body": None, "url": "u2"}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    table = piece(path, BuildConfig(columns=Columns(text="body"), clean=preset("fineweb")))

    assert table["_row"].to_pylist() == [0, 1, 2]
    assert table["_member"].to_pylist() == ["a.jsonl"] * 3
    assert table["url"].to_pylist() == ["u0", "u1", "u2"]
    assert table["_reason"].to_pylist() == ["", "language: unknown", "no text"]
    assert table["text"].to_pylist() == [TEXT, "short", ""]
    assert table["id"].to_pylist()[0] == text_digest(TEXT)


def test_marks_are_those_of_the_kept_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in [TEXT, " ", TEXT.upper()]), encoding="utf-8")

    table = piece(path, BuildConfig())

    found = marks([TEXT, TEXT.upper()], DedupConfig())
    cells = table["_band_000"].to_pylist()
    assert cells[1] is None
    assert [cells[0], cells[2]] == found.bands[:, 0].tolist()
    assert np.array_equal(np.frombuffer(table["_bits"].to_pylist()[2], np.uint8), found.bits[1])
    assert table["_digest"].to_pylist()[0] == table["_digest"].to_pylist()[2]


@pytest.mark.full
def test_pages_are_extracted_and_hostile_ones_dropped(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.html").write_text(f"<nav>Home</nav><article><p>{TEXT}</p></article>", encoding="utf-8")
    (pages / "b.html").write_bytes(b"<div>" * 300_000)

    table = piece(pages, BuildConfig(page_seconds=3))

    assert table["_reason"].to_pylist() == ["", "extraction"]
    assert table["_detail"].to_pylist()[1] == "takes too long"
    assert table["text"].to_pylist()[0] == TEXT
    assert "html" not in table.schema.names


def test_damage_is_a_row_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"one",1\n"two",2,3\n"three",3\n', encoding="utf-8")

    table = piece(path, BuildConfig())

    assert table["n"].to_pylist() == [1, 3, None]
    assert table["_reason"].to_pylist() == ["", "", "unreadable"]
    assert table["_detail"].to_pylist()[2] == "line 3 has 3 cells instead of 2"


def test_documents_with_pieces_of_benchmarks_are_marked_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "rivers.txt").write_text(TEXT[:150], encoding="utf-8")
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps({"text": each}) for each in [TEXT, "other"]).encode()))

    table = piece(path, BuildConfig(), folder)

    assert table["contaminated_by"].to_pylist() == ["rivers.txt", ""]
    assert 0 < table["contamination"].to_pylist()[0] < 1
    assert table["_reason"].to_pylist() == ["", ""]


def test_columns_of_the_source_with_our_names_are_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": TEXT, "language": "xx", "html": "<p>other</p>"}) + "\n", encoding="utf-8")
    table = piece(path, BuildConfig())
    assert table["text"].to_pylist() == [TEXT]
    assert (table["language"].to_pylist(), table["source_language"].to_pylist()) == (["en"], ["xx"])

    path.write_text(json.dumps({"url": "u", "html": f"<article><p>{TEXT}</p></article>"}) + "\n", encoding="utf-8")
    assert piece(path, BuildConfig())["text"].to_pylist() == [TEXT]


def test_the_report_of_damage_does_not_depend_on_the_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n[1]\n', encoding="utf-8")
    assert piece(path, BuildConfig())["_detail"].to_pylist()[1] == "line 2 not a JSON object"


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no column 'text' for the text"):
        piece(path, BuildConfig())
